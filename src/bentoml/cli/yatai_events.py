"""`bentoml yatai events`: the audit log."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .command import Command
from .options import output_option, yatai_url_option
from .registry import plain, registry_calls, shown_time
from .render import print_document, print_table


def command(_bundle: Path | None = None) -> click.Command:
    return events


@click.command(cls=Command, failed_name="yatai events", prints_data=True)
@click.argument("resource", required=False)
@click.option("--actor", help="Only what this token's owner did.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many.")
@yatai_url_option
@output_option("table", "json", "yaml", "table")
def events(resource: str | None, actor: str | None, limit: int, yatai_url: str | None, output: str) -> None:
    """Show changes, the last one first; of one RESOURCE (NAME, NAME:VERSION, NAME@ALIAS) if given."""
    calls = registry_calls(yatai_url)
    found = calls.call("ListEvents", resource=resource, actor=actor, limit=limit)["events"]
    if output != "table":
        print_document(plain(found), output)
        return
    rows = [
        [
            shown_time(one["happened_at"]),
            one["actor"],
            one["action"],
            one["resource"],
            json.dumps(one["details"]) if one["details"] else "",
        ]
        for one in found
    ]
    print_table(["WHEN", "WHO", "WHAT", "RESOURCE", "DETAILS"], rows)
