"""`bentoml mlflow import`: an MLflow model as a saved service."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return import_


@click.command("import", cls=Command, failed_name="mlflow import")
@click.argument("model")
@click.option("--name", help="Name of the service.  [default: made from the folder's name]")
@click.option("--version", help="Version of the bundle.  [default: a new one]")
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label to save with it; repeatable."
)
@yatai_url_option
def import_(
    model: str, name: str | None, version: str | None, labels: tuple[str, ...], yatai_url: str | None
) -> None:
    """Save MODEL as a service with one API, `predict`, made from the model's signature.

    MODEL is a folder written by MLflow with the python_function flavor, or an MLflow address such as
    models:/churn/3. Importing loads the model, which can execute code of its author.
    """
    from bentoml.exchange import import_mlflow

    pairs = dict(_pair(text) for text in labels)
    import_mlflow(model, name, version=version, labels=pairs, yatai_url=yatai_url)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"'{text}' is not KEY=VALUE", param_hint="--label")
    return key, value
