"""`bentoml push`: send a bundle of the local repository to a server."""

from __future__ import annotations

from pathlib import Path

import click

from bentoml.exceptions import CLIException

from .command import Command
from .options import yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return push


@click.command(cls=Command)
@click.argument("bento")
@yatai_url_option
@click.option("--with-labels/--without-labels", default=True, show_default=True, help="Send the labels too.")
def push(bento: str, yatai_url: str | None, with_labels: bool) -> None:
    """Send the bundle NAME:VERSION of the local repository to a Yatai server.

    An interrupted push goes on where it stopped when it is started again.
    """
    from bentoml.yatai.client import get_yatai_client

    require_tag(bento)
    get_yatai_client(yatai_url).repository.push(bento, with_labels=with_labels)
    click.echo(f"Pushed {bento} to {server_name(yatai_url)}")


def require_tag(bento: str) -> None:
    """Raises `CLIException` for a bare name."""
    if ":" not in bento and "@" not in bento:
        raise CLIException(f"BentoService {bento} invalid - specify name:version")


def server_name(yatai_url: str | None) -> str:
    """The server that a command talks to, as messages call it."""
    from bentoml.settings import load_settings

    return yatai_url or load_settings().yatai.remote_url or "the local repository"
