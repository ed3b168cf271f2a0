"""`bentoml yatai restore`: bring back a bundle that was deleted."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import yatai_url_option
from .registry import reference, registry_calls


def command(_bundle: Path | None = None) -> click.Command:
    return restore


@click.command(cls=Command, failed_name="yatai restore")
@click.argument("bento")
@yatai_url_option
def restore(bento: str, yatai_url: str | None) -> None:
    """Bring back the bundle NAME:VERSION that was deleted on a server, while it is kept there."""
    registry_calls(yatai_url).call("RestoreBento", **reference(bento))
    click.echo(f"Restored {bento}")
