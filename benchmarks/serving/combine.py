"""Several runs as one result: `python -m benchmarks.serving.combine OUTPUT.json RUN.json…`.

A long comparison can be measured in parts on a machine that is not free for an hour. Ratios are still
taken within a round, so they never cross parts. Writes the JSON, its .svg and .md neighbours, and
OUTPUT-bars.md with the verdicts on this project's bars.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .results import write_record, write_tables


def combined(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One record. Rounds are numbered on, so that no two parts share one.

    Raises:
        ValueError: the parts are of different machines.
    """
    machines = {json.dumps(r["machine"], sort_keys=True) for r in records}
    if len(machines) != 1:
        raise ValueError(f"the parts were measured on {len(machines)} different machines")
    cells: list[dict[str, Any]] = []
    before = 0
    for record in records:
        cells += [{**cell, "round": cell["round"] + before} for cell in record["cells"]]
        before += record["rounds"]
    return {
        **records[-1],
        "parts": [{key: r[key] for key in ("date", "rounds", "seconds", "warm_s")} for r in records],
        "rounds": max(r["rounds"] for r in records),
        "peers": {name: peer for r in records for name, peer in r["peers"].items()},
        "workloads": {name: title for r in records for name, title in r["workloads"].items()},
        "cells": cells,
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.combine", description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--footprint", type=Path, help="what `footprint` wrote, for its bars")
    options = parser.parse_args(argv)
    record = combined([json.loads(run.read_text()) for run in options.runs])
    footprint = json.loads(options.footprint.read_text()) if options.footprint else None
    write_record(options.output, record)
    print(write_tables(options.output, record, footprint))


if __name__ == "__main__":
    main()
