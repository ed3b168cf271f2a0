"""`bentoml yatai compare`: what differs between two bundles."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import output_option, yatai_url_option
from .registry import reference, registry_calls
from .render import print_document


def command(_bundle: Path | None = None) -> click.Command:
    return compare


@click.command(cls=Command, failed_name="yatai compare", prints_data=True)
@click.argument("first")
@click.argument("second")
@yatai_url_option
@output_option("yaml", "json", "yaml")
def compare(first: str, second: str, yatai_url: str | None, output: str) -> None:
    """Show what differs between the bundles FIRST and SECOND (NAME:VERSION or NAME@ALIAS)."""
    calls = registry_calls(yatai_url)
    answer = calls.call("CompareBentos", first=reference(first), second=reference(second))
    print_document(answer["differences"], output)
