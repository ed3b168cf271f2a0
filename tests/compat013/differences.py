"""Every recorded case that is answered differently here, on purpose, and why.

The tests take this table as the only excuse: a case in it must differ (a stale entry fails) and must
have the status given here; a case not in it must be answered as by 0.13.1. The page "Moving from
0.13" shows the same table: `python -m tests.compat013.differences` writes it.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path

from .difference import Difference
from .differences_protocol import PROTOCOL
from .differences_values import VALUES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "moving-from-0.13.md"
BEGIN, END = "<!-- differences: begin -->", "<!-- differences: end -->"


DIFFERENCES = PROTOCOL + VALUES


def difference_of(case_id: str) -> Difference | None:
    """The entry that covers a case, or None. Raises ValueError if two do."""
    found = [d for d in DIFFERENCES if any(fnmatchcase(case_id, pattern) for pattern in d.cases)]
    if len(found) > 1:
        raise ValueError(f"{case_id} is in {len(found)} entries: {[d.topic for d in found]}")
    return found[0] if found else None


def render() -> str:
    """The table of the documentation page."""
    out = []
    for area in dict.fromkeys(d.area for d in DIFFERENCES):
        out += [f"### {area}", "", "| What | 0.13 | Now |", "|---|---|---|"]
        rows = [d for d in DIFFERENCES if d.area == area]
        out += [f"| {_cell(d.topic)} | {_cell(d.was)} | {_cell(d.now)} |" for d in rows]
        out.append("")
    return "\n".join(out).rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n\n{render()}\n\n{END}{tail}", encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
