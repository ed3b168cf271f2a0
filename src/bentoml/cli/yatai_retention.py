"""`bentoml yatai retention`: how many bundles of a name stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import Command
from .options import output_option, yatai_url_option
from .registry import plain, registry_calls, shown_time
from .render import print_document, print_table

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Change nothing, only say what would go.")


def command(_bundle: Path | None = None) -> click.Command:
    return retention


@click.group("retention")
def retention() -> None:
    """Rules about how many bundles of a name stay.

    A server applies them when it starts and every hour. A bundle that an alias points to or a deployment
    names always stays, and is not counted. What was deleted can be restored for a while.
    """


@retention.command("set", cls=Command, failed_name="yatai retention set")
@click.argument("name", required=False)
@click.option("--keep-last", type=click.IntRange(min=1), help="Bundles that stay, the newest ones.")
@click.option("--keep-all", is_flag=True, help="All stay, whatever the rule of all names says.")
@_DRY_RUN
@yatai_url_option
def set_rule(
    name: str | None, keep_last: int | None, keep_all: bool, dry_run: bool, yatai_url: str | None
) -> None:
    """Set the rule of NAME, or that of every name without one of its own."""
    if (keep_last is None) != keep_all:
        raise click.UsageError("Give --keep-last N or --keep-all.")
    fields = {"name": name, "keep_last": keep_last, "dry_run": dry_run}
    answer = registry_calls(yatai_url).call("SetRetention", timeout_s=None, **fields)
    if not dry_run:
        click.echo(f"{_shown(name)}: {_kept(keep_last)}")
    _print_tags("Would delete" if dry_run else "The next run deletes", answer["bentos"])


@retention.command("list", cls=Command, failed_name="yatai retention list", prints_data=True)
@yatai_url_option
@output_option("table", "json", "yaml", "table")
def list_rules(yatai_url: str | None, output: str) -> None:
    """List the rules, and how many bundles the next run deletes."""
    found = registry_calls(yatai_url).call("ListRetention", timeout_s=None)
    if output != "table":
        print_document(plain(found), output)
        return
    rows = [
        [
            one["name"] or "(every other name)",
            "all" if one["keep_last"] is None else str(one["keep_last"]),
            one["set_by"],
            shown_time(one["set_at"]),
            shown_time(one["applied_at"]) or "not yet",
        ]
        for one in found["rules"]
    ]
    print_table(["NAME", "KEEP_LAST", "SET_BY", "SET_AT", "APPLIED_AT"], rows)
    if found["rules"]:
        click.echo(
            f"The next run deletes {len(found['bentos'])}; see `bentoml yatai retention apply --dry-run`"
        )


@retention.command("remove", cls=Command, failed_name="yatai retention remove")
@click.argument("name", required=False)
@yatai_url_option
def remove(name: str | None, yatai_url: str | None) -> None:
    """Remove the rule of NAME, or that of every other name; nothing is deleted any more because of it."""
    registry_calls(yatai_url).call("RemoveRetention", name=name)
    click.echo(f"Removed the rule of {_shown(name)}")


@retention.command("apply", cls=Command, failed_name="yatai retention apply")
@_DRY_RUN
@yatai_url_option
def apply(dry_run: bool, yatai_url: str | None) -> None:
    """Apply all rules now, without waiting for the server, or where none runs."""
    answer = registry_calls(yatai_url).call("ApplyRetention", timeout_s=None, dry_run=dry_run)
    _print_tags("Would delete" if dry_run else "Deleted", answer["bentos"])


def _print_tags(what: str, bentos: list[dict[str, Any]]) -> None:
    for one in bentos:
        click.echo(f"{what} {one['name']}:{one['version']}")
    if not bentos:
        click.echo("Nothing to delete")


def _shown(name: str | None) -> str:
    return name or "every other name"


def _kept(keep_last: int | None) -> str:
    if keep_last is None:
        return "all bundles stay"
    return "the last one stays" if keep_last == 1 else f"the last {keep_last} stay"
