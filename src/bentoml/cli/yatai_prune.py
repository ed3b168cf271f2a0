"""`bentoml yatai prune`: delete all but the newest bundles."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import labels_option, yatai_url_option
from .registry import registry_calls


def command(_bundle: Path | None = None) -> click.Command:
    return prune


@click.command(cls=Command, failed_name="yatai prune")
@click.argument("name", required=False)
@click.option(
    "--keep-last", type=click.IntRange(min=1), required=True, help="Bundles of each name that stay."
)
@click.option("--delete", "really", is_flag=True, help="Do it; without this, only say what would go.")
@labels_option
@yatai_url_option
def prune(name: str | None, keep_last: int, really: bool, labels: str | None, yatai_url: str | None) -> None:
    """Delete all but the newest bundles of NAME, or of every name.

    A bundle that an alias points to or a deployment names always stays, and is not counted. For a rule that
    the server applies by itself, see `bentoml yatai retention`.
    """
    fields = {"name": name, "keep_last": keep_last, "labels_query": labels, "dry_run": not really}
    gone = registry_calls(yatai_url).call("PruneBentos", timeout_s=None, **fields)["bentos"]
    for one in gone:
        click.echo(f"{'Deleted' if really else 'Would delete'} {one['name']}:{one['version']}")
    if not gone:
        click.echo("Nothing to delete")
