"""`bentoml sbom`: what a bundle is made of, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import bento_argument, bento_epilog, locate, yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return sbom


@click.command(cls=Command, epilog=bento_epilog(None), prints_data=True)
@bento_argument(None)
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path, dir_okay=False), help="File to write to."
)
@yatai_url_option
def sbom(bento: str, target: Path | None, yatai_url: str | None) -> None:
    """Print a CycloneDX document about a bundle: packages, models and this library, with digests.

    Nothing of the bundle is executed. Needs the package cyclonedx-python-lib.
    """
    from bentoml.bundle.sbom import sbom_json

    text = sbom_json(locate(bento, None, yatai_url))
    if target is None:
        click.echo(text, nl=False)
    else:
        target.write_text(text, "utf-8")
