"""What a deliberate difference from 0.13 is."""

from __future__ import annotations

from dataclasses import dataclass

HTTP = "Server"
JSON = "JSON and text"
TABLE = "Tables"
FILE = "Files and images"
RESULT = "Results"
CLI = "Command line"


@dataclass(frozen=True)
class Difference:
    """`cases` are patterns of case ids; `status` is ours (None: as in 0.13)."""

    area: str
    topic: str
    was: str
    now: str
    cases: tuple[str, ...]
    status: int | None = None
