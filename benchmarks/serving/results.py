"""Where the figures of a run are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def caption_of(record: dict[str, Any]) -> str:
    """The machine, the day, and how many rounds."""
    host = record["machine"]
    return f"{host['cpu']}, {host['cores']} cores, {record['date'][:10]}, median of {record['rounds']} rounds"


def write_results(output: Path, record: dict[str, Any], picture: str, tables: str) -> None:
    """The JSON and its .svg and .md neighbours."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    output.with_suffix(".svg").write_text(picture)
    output.with_suffix(".md").write_text(f"{caption_of(record)}\n\n{tables}\n")
