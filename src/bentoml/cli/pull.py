"""`bentoml pull`: fetch a bundle of a server into the local repository."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import yatai_url_option
from .push import require_tag, server_name


def command(_bundle: Path | None = None) -> click.Command:
    return pull


@click.command(cls=Command)
@click.argument("bento")
@yatai_url_option
def pull(bento: str, yatai_url: str | None) -> None:
    """Fetch the bundle NAME:VERSION of a Yatai server into the local repository."""
    from bentoml.yatai.client import get_yatai_client

    require_tag(bento)
    get_yatai_client(yatai_url).repository.pull(bento)
    click.echo(f"Pulled {bento} from {server_name(yatai_url)}")
