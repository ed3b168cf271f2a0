"""`bentoml retrieve`: copy a saved bundle to a directory."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return retrieve


@click.command(cls=Command)
@click.argument("bento")
@yatai_url_option
@click.option(
    "--target_dir",
    "--target-dir",
    "target_dir",
    help="Directory to create.  [default: a directory named after the bundle, here]",
)
def retrieve(bento: str, yatai_url: str | None, target_dir: str | None) -> None:
    """Copy the bundle NAME:VERSION to a new directory."""
    from bentoml.yatai.client import get_yatai_client

    repository = get_yatai_client(yatai_url).repository
    record = repository.record(bento)
    target = target_dir or f"{record.name}-{record.version}"
    repository.download_to_directory(record, target)
    click.echo(f"Save {bento} artifact to directory {target}")
