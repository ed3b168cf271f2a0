"""`bentoml yatai label`: set and remove labels of a saved bundle."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import yatai_url_option
from .registry import reference, registry_calls


def command(_bundle: Path | None = None) -> click.Command:
    return label


@click.command(cls=Command, failed_name="yatai label")
@click.argument("bento")
@click.argument("changes", nargs=-1, required=True)
@yatai_url_option
def label(bento: str, changes: tuple[str, ...], yatai_url: str | None) -> None:
    """Change labels of BENTO: CHANGES are KEY=VALUE to set one, KEY- to remove one."""
    wanted, removed = {}, []
    for change in changes:
        key, equals, value = change.partition("=")
        if equals:
            wanted[key] = value
        elif change.endswith("-"):
            removed.append(change[:-1])
        else:
            raise click.UsageError(f"'{change}' is no change; write KEY=VALUE, or KEY- to remove a label.")
    calls = registry_calls(yatai_url)
    answer = calls.call("UpdateBentoLabels", bento=reference(bento), set=wanted, remove=removed)
    labels = answer["bento"]["bento_service_metadata"]["labels"]
    click.echo(", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "no labels")
