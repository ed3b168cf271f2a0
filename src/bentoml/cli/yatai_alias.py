"""`bentoml yatai alias`: set, list, roll back and remove aliases."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import output_option, yatai_url_option
from .registry import plain, registry_calls, shown_time, split_alias
from .render import print_document, print_table


def command(_bundle: Path | None = None) -> click.Command:
    return alias


@click.group("alias")
def alias() -> None:
    """Names such as `IrisClassifier@prod` that point to one version and are moved atomically."""


@alias.command("set", cls=Command, failed_name="yatai alias set")
@click.argument("name_alias", metavar="NAME@ALIAS")
@click.argument("version")
@click.option("--expect", help="Only move it if it points to this version now ('' if it must be new).")
@yatai_url_option
def set_alias(name_alias: str, version: str, expect: str | None, yatai_url: str | None) -> None:
    """Point NAME@ALIAS to VERSION (which may be `latest`)."""
    name, text = split_alias(name_alias)
    fields = {"name": name, "alias": text, "version": version, "expected_version": expect}
    moved = registry_calls(yatai_url).call("SetAlias", **fields)["alias"]
    click.echo(f"{name_alias} points to {name}:{moved['version']}")


@alias.command("rollback", cls=Command, failed_name="yatai alias rollback")
@click.argument("name_alias", metavar="NAME@ALIAS")
@yatai_url_option
def roll_back(name_alias: str, yatai_url: str | None) -> None:
    """Point NAME@ALIAS to the version it had before."""
    name, text = split_alias(name_alias)
    moved = registry_calls(yatai_url).call("RollbackAlias", name=name, alias=text)["alias"]
    click.echo(f"{name_alias} points to {name}:{moved['version']} again")


@alias.command("delete", cls=Command, failed_name="yatai alias delete")
@click.argument("name_alias", metavar="NAME@ALIAS")
@yatai_url_option
def delete(name_alias: str, yatai_url: str | None) -> None:
    """Remove NAME@ALIAS; the bundle stays."""
    name, text = split_alias(name_alias)
    registry_calls(yatai_url).call("DeleteAlias", name=name, alias=text)
    click.echo(f"Removed {name_alias}")


@alias.command("list", cls=Command, failed_name="yatai alias list", prints_data=True)
@click.argument("name", required=False)
@yatai_url_option
@output_option("table", "json", "yaml", "table")
def list_aliases(name: str | None, yatai_url: str | None, output: str) -> None:
    """List all aliases, or those of one name."""
    found = registry_calls(yatai_url).call("ListAliases", name=name)["aliases"]
    if output != "table":
        print_document(plain(found), output)
        return
    rows = [
        [f"{one['name']}@{one['alias']}", one["version"], shown_time(one["moved_at"]), one["moved_by"]]
        for one in found
    ]
    print_table(["ALIAS", "VERSION", "MOVED_AT", "MOVED_BY"], rows)


@alias.command("history", cls=Command, failed_name="yatai alias history", prints_data=True)
@click.argument("name_alias", metavar="NAME@ALIAS")
@yatai_url_option
@output_option("table", "json", "yaml", "table")
def history(name_alias: str, yatai_url: str | None, output: str) -> None:
    """Show every move of NAME@ALIAS, the last one first."""
    name, text = split_alias(name_alias)
    moves = registry_calls(yatai_url).call("GetAliasHistory", name=name, alias=text)["moves"]
    if output != "table":
        print_document(plain(moves), output)
        return
    rows = [
        [shown_time(one["moved_at"]), one["from_version"], one["to_version"], one["moved_by"]]
        for one in moves
    ]
    print_table(["MOVED_AT", "FROM", "TO", "MOVED_BY"], rows)
