"""Bundle records on the terminal: tables, JSON, YAML.

A table is coloured and fitted to a terminal, where only the tag stays in one piece whatever the
width, to be copied; in a pipe it is plain text with aligned columns and nothing cut off.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from .age import human_span

if TYPE_CHECKING:
    from bentoml.repository.base import BundleRecord

_STYLES = {
    "BENTO_SERVICE": "bold cyan",
    "AGE": "green",
    "CREATED_AT": "green",
    "LABELS": "yellow",
    "URI": "dim",
}
_WHOLE = ("BENTO_SERVICE", "CREATED_AT")
_LISTS = ("APIS", "ARTIFACTS")


def print_records(records: Sequence[BundleRecord], output: str) -> None:
    """Print several records as `table`, `wide`, `json` or `yaml` (one document for all of them)."""
    if output in ("table", "wide"):
        print_table(*bundle_table(records, wide=output == "wide"))
    else:
        print_document([record.to_dict() for record in records], output)


def print_document(document: Any, output: str) -> None:
    """Print plain data as `json` or `yaml`."""
    if output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
    else:
        click.echo(json.dumps(document, indent=2, default=str))


def bundle_table(records: Iterable[BundleRecord], *, wide: bool) -> tuple[list[str], list[list[str]]]:
    """Headers and cells of the table of bundles."""
    headers = ["BENTO_SERVICE", "CREATED_AT" if wide else "AGE", "APIS", "ARTIFACTS", "LABELS"]
    if wide:
        headers.append("URI")
    return headers, [_bundle_row(record, wide) for record in records]


def print_table(headers: list[str], rows: list[list[str]]) -> None:
    """Print with rich on a terminal, and as plain aligned text elsewhere."""
    if sys.stdout.isatty():
        _print_rich(headers, rows)
    else:
        click.echo(plain_table(headers, rows))


def plain_table(headers: list[str], rows: list[list[str]]) -> str:
    """Columns two spaces apart; a cell of several lines continues below itself."""
    cells = [[cell.split("\n") for cell in row] for row in [headers, *rows]]
    widths = [max(len(line) for row in cells for line in row[column]) for column in range(len(headers))]
    lines = []
    for row in cells:
        for number in range(max(len(cell) for cell in row)):
            parts = (cell[number] if number < len(cell) else "" for cell in row)
            lines.append(
                "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
            )
    return "\n".join(lines)


def _bundle_row(record: BundleRecord, wide: bool) -> list[str]:
    row = [
        record.tag,
        _time(record, wide),
        ", ".join(f"{api['name']}<{api['input_type']}:{api['output_type']}>" for api in record.apis),
        ", ".join(f"{one['name']}<{one['artifact_type']}>" for one in record.artifacts),
        "\n".join(f"{key}:{value}" for key, value in record.labels.items()),
    ]
    return [*row, record.uri] if wide else row


def _time(record: BundleRecord, wide: bool) -> str:
    if record.created_at is None:
        return ""
    if wide:
        return record.created_at.strftime("%Y-%m-%d %H:%M")
    return human_span(datetime.now(timezone.utc).replace(tzinfo=None) - record.created_at)


def _print_rich(headers: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in headers:
        whole = header in _WHOLE
        table.add_column(header, style=_STYLES.get(header, ""), overflow="fold", no_wrap=whole)
    for row in rows:
        cells = zip(headers, row, strict=True)
        table.add_row(*(Text(cell.replace(", ", "\n") if head in _LISTS else cell) for head, cell in cells))
    Console().print(table)
