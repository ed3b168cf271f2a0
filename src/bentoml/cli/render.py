"""Bundle records on the terminal: tables, JSON, YAML.

On a terminal a table is coloured; one that is too wide for it becomes a block of lines for each
record, so that nothing is cut in the middle of a word. In a pipe it is plain text with aligned columns.
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
    from rich.console import Console

    from bentoml.repository.base import BundleRecord

_STYLES = {
    "BENTO_SERVICE": "bold cyan",
    "AGE": "green",
    "CREATED_AT": "green",
    "LABELS": "yellow",
    "URI": "dim",
}
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

    console = Console()
    listed = [
        [
            cell.replace(", ", "\n") if head in _LISTS else cell
            for head, cell in zip(headers, row, strict=True)
        ]
        for row in rows
    ]
    width = max(map(len, plain_table(headers, listed).split("\n")))
    if width <= console.width:
        _print_columns(console, headers, listed)
    else:
        _print_blocks(console, headers, listed)


def _print_columns(console: Console, headers: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in headers:
        table.add_column(header, style=_STYLES.get(header, ""), no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_blocks(console: Console, headers: list[str], rows: list[list[str]]) -> None:
    """The tag on a line of its own, below it one line for each value; long ones run on, to be copied."""
    from rich.text import Text

    indent = max(len(header) for header in headers[1:]) + 4
    for row in rows:
        console.print(Text(row[0], _STYLES.get(headers[0], "")), soft_wrap=True)
        for header, cell in zip(headers[1:], row[1:], strict=True):
            label = f"  {header}"
            for line in filter(None, cell.split("\n")):
                text = Text.assemble((label.ljust(indent), "bold"), (line, _STYLES.get(header, "")))
                console.print(text, soft_wrap=True)
                label = ""


def human_size(size: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"
