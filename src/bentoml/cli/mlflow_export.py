"""`bentoml mlflow export`: a bundle as an MLflow model."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import bento_epilog, locate, verify_key_option, yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return export


@click.command("export", cls=Command, failed_name="mlflow export", epilog=bento_epilog(None))
@click.argument("bento")
@click.option(
    "-o", "--output", "target", required=True, type=click.Path(path_type=Path), help="Folder to make."
)
@click.option("--api", help="The API that `predict` calls; needed when there are several.")
@verify_key_option
@yatai_url_option
def export(bento: str, target: Path, api: str | None, yatai_url: str | None) -> None:
    """Write BENTO as a folder that `mlflow.pyfunc.load_model` and `mlflow models serve` take."""
    from bentoml.exchange import export_mlflow

    made = export_mlflow(locate(bento, None, yatai_url), target, api)
    click.echo(f"Wrote the MLflow model '{made}'")
