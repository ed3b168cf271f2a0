"""The recordings as the tests read them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parent / "recorded"


def bytes_to_json(data: bytes) -> Any:
    """Text as itself, other bytes as `{"base64": …}`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def bytes_from_json(value: Any) -> bytes:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else str(value).encode()


def read_rows(name: str, folder: Path = RECORDED) -> list[dict[str, Any]]:
    """The rows of `Name.json`, or of the service of a tag `Name:version`."""
    rows: list[dict[str, Any]] = json.loads((folder / f"{name.partition(':')[0]}.json").read_text("utf-8"))
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """One row a line: compact, and a diff shows the case that changed."""
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")
