"""`bentoml yatai token`: make, list and revoke access tokens."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import output_option, yatai_url_option
from .registry import plain, registry_calls, shown_time
from .render import print_document, print_table

_DAY_S = 86_400


def command(_bundle: Path | None = None) -> click.Command:
    return token


@click.group("token")
def token() -> None:
    """Access tokens: made with scopes, shown once, stored hashed."""


@token.command("create", cls=Command, failed_name="yatai token create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["read", "write", "deploy", "admin"]),
    help="What it allows; may be given several times. write and deploy include read, admin everything.",
)
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="Days it is valid.  [default: for ever]"
)
@yatai_url_option
def create(name: str, scopes: tuple[str, ...], days: float | None, yatai_url: str | None) -> None:
    """Make an access token called NAME and print its text, which cannot be shown again."""
    seconds = max(1, int(days * _DAY_S)) if days else 0
    answer = registry_calls(yatai_url).call(
        "CreateToken", name=name, scopes=list(scopes), expires_in_s=seconds
    )
    click.echo(f"Made the token '{name}' ({', '.join(answer['token']['scopes'])}). Shown only now:", err=True)
    click.echo(answer["secret"])


@token.command("list", cls=Command, failed_name="yatai token list", prints_data=True)
@yatai_url_option
@output_option("table", "json", "yaml", "table")
def list_tokens(yatai_url: str | None, output: str) -> None:
    """List all tokens, without their texts."""
    found = registry_calls(yatai_url).call("ListTokens")["tokens"]
    if output != "table":
        print_document(plain(found), output)
        return
    rows = [
        [
            one["name"],
            ", ".join(one["scopes"]),
            shown_time(one["created_at"]),
            shown_time(one["expires_at"]) or "never",
            shown_time(one["last_used_at"]) or "never",
            "revoked" if one["revoked_at"] else "in force",
        ]
        for one in found
    ]
    print_table(["NAME", "SCOPES", "CREATED_AT", "EXPIRES_AT", "LAST_USED_AT", "STATE"], rows)


@token.command("revoke", cls=Command, failed_name="yatai token revoke")
@click.argument("name")
@yatai_url_option
def revoke(name: str, yatai_url: str | None) -> None:
    """Take the token NAME out of force, at once and for ever."""
    registry_calls(yatai_url).call("RevokeToken", name=name)
    click.echo(f"Revoked the token '{name}'")
