"""`bentoml get`: one bundle's record, or the bundles of one name."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import labels_option, output_option, yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return get


@click.command(cls=Command, prints_data=True)
@click.argument("bento")
@click.option("--limit", type=click.IntRange(min=0), help="How many bundles are shown.  [default: 40]")
@click.option("--ascending-order", is_flag=True, help="Oldest on top.")
@click.option("--print-location", is_flag=True, help="Print only where the bundle is stored.")
@labels_option
@yatai_url_option
@output_option(None, "json", "yaml", "table", "wide")
def get(
    bento: str,
    limit: int | None,
    ascending_order: bool,
    print_location: bool,
    labels: str | None,
    yatai_url: str | None,
    output: str | None,
) -> None:
    """Show the bundle NAME:VERSION (a record), or all bundles of NAME (a table).

    The version `latest` is the newest bundle of that name.
    """
    from bentoml.yatai.client import get_yatai_client

    from .render import print_document, print_records

    repository = get_yatai_client(yatai_url).repository
    if ":" not in bento and "@" not in bento:
        records = repository.records(bento, limit=limit, ascending_order=ascending_order, labels=labels)
        if not records:
            repository.warn_if_unknown(bento)
        if print_location:
            click.echo("\n".join(record.uri for record in records))
        else:
            print_records(records, output or "table")
        return
    record = repository.record(bento)
    if print_location:
        click.echo(record.uri)
    elif output in ("table", "wide"):
        print_records([record], output)
    else:
        print_document(record.to_dict(), output or "json")
