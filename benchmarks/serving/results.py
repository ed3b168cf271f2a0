"""Where the figures of a run are written: a JSON with everything, and a table and a picture of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from . import bars, chart, open_report, report

HEADLINES = (("lr", 128), ("rf", 512))
"""What the smaller picture shows."""


def caption_of(record: dict[str, Any], panels: Collection[tuple[str, int]] = ()) -> str:
    """The machine, the day, and how many rounds each figure is the median of."""
    host = record["machine"]
    counts = Counter(
        (c["workload"], c["connections"], c["peer"])
        for c in record["cells"]
        if not panels or (c["workload"], c["connections"]) in panels
    ).values()
    least, most = min(counts), max(counts)
    rounds = str(least) if least == most else f"{least} to {most}"
    return f"{host['cpu']}, {host['cores']} cores, {record['date'][:10]}, medians of {rounds} rounds"


def write_record(output: Path, record: dict[str, Any]) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")


def write_tables(output: Path, record: dict[str, Any], footprint: dict[str, Any] | None = None) -> str:
    """The JSON's .md and .svg, a smaller `-headlines.svg`, and `-bars.md` with what was met.

    Returns the text of both tables.
    """
    titles = {name: peer["title"] for name, peer in record["peers"].items()}
    table = report.rows(record["cells"])
    caption = caption_of(record)
    tables = report.as_markdown(table, titles)
    open_rows = open_report.rows(record["cells"])
    if open_rows:
        tables += f"\n\n{open_report.as_markdown(open_rows, titles)}"
    if failures := record.get("failures"):
        tables += f"\n\n{report.failures_as_markdown(failures, titles)}"
    verdicts = bars.judge(record["cells"]) + (bars.judge_footprint(footprint) if footprint else [])
    judged = bars.as_markdown(verdicts)
    output.with_suffix(".svg").write_text(chart.draw(table, titles, caption))
    first = [row for row in table if (row.workload, row.connections) in HEADLINES]
    if first:
        output.with_name(f"{output.stem}-headlines.svg").write_text(
            chart.draw(first, titles, caption_of(record, HEADLINES))
        )
    output.with_suffix(".md").write_text(f"{caption}\n\n{tables}\n")
    output.with_name(f"{output.stem}-bars.md").write_text(f"{caption}\n\n{judged}\n")
    return f"{tables}\n\n{judged}"
