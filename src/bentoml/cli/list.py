"""`bentoml list`: saved bundles, newest first."""

from __future__ import annotations

from pathlib import Path

import click

from .command import Command
from .options import labels_option, output_option, yatai_url_option


def command(_bundle: Path | None = None) -> click.Command:
    return list_bundles


@click.command("list", cls=Command, failed_name="list", prints_data=True)
@click.option("--limit", type=click.IntRange(min=0), help="How many bundles are shown.  [default: 40]")
@click.option("--offset", type=click.IntRange(min=0), help="How many bundles are skipped.")
@labels_option
@click.option(
    "--order-by", type=click.Choice(["created_at", "name"]), default="created_at", show_default=True
)
@click.option("--ascending-order", is_flag=True, help="Oldest (or first by name) on top.")
@yatai_url_option
@output_option("table", "json", "yaml", "table", "wide")
def list_bundles(
    limit: int | None,
    offset: int | None,
    labels: str | None,
    order_by: str,
    ascending_order: bool,
    yatai_url: str | None,
    output: str,
) -> None:
    """List saved bundles, newest first."""
    from bentoml.yatai.client import get_yatai_client

    from .render import print_records

    records = get_yatai_client(yatai_url).repository.records(
        limit=limit, offset=offset, labels=labels, order_by=order_by, ascending_order=ascending_order
    )
    print_records(records, output)
