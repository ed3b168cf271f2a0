"""The batching policy against the best fixed window, on a simulated clock.

    python -m benchmarks.batching_policy [--processes N] [--quick | --ours | --draw]

For every cell of the grid (arrivals, fixed cost, workers, load) the opponent is given the window, batch
size and queue limit that are best for exactly that cell. Writes `benchmarks/results/batching_policy.json`
and the picture in `docs/assets`. The clock is simulated, so the figures do not depend on the machine.
`--ours` is for a change of our policy: it runs ours anew, and of the opponents the winners that were saved.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from html import escape
from math import exp, log
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from tests.batching.fixed_window import FixedWindow
from tests.batching.goodput import (
    ARRIVALS,
    FIXED_SHARES,
    FULL,
    GOAL_S,
    LOADS,
    NEVER_BELOW,
    SMALL,
    WORKERS,
    Cell,
    Grid,
    arrival_times,
    compare,
    full_grid,
    run,
)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "batching_policy.json"
PICTURE = ROOT / "docs" / "assets" / "batching_policy.svg"
WIDTH, PANEL, LEFT, TOP, HEIGHT = 860, 200, 48, 46, 190
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.axis{stroke:#d0d7de}"
    ".tick{fill:#57606a;font-size:11px}.ours{fill:#1a7f37}.peer{fill:#8c959f}"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.axis{stroke:#30363d}.tick{fill:#8b949e}}"
)


def measure(cell: Cell, grid: Grid) -> dict[str, Any]:
    """One row of the results."""
    found = compare(cell, grid)
    return {
        **cell._asdict(),
        "ours": asdict(found.ours),
        "best_fixed": {
            **asdict(found.best),
            "window_s": found.window_s,
            "size": found.size,
            "limit": found.limit,
        },
        "ratio": round(found.ratio, 4),
    }


def measure_ours(row: dict[str, Any]) -> dict[str, Any]:
    """A saved row with both sides run again; the opponent with the choice that was best.

    Raises:
        SystemExit: the opponent does not do what it did, so its choice must be looked for anew.
    """
    cell = Cell(*(row[name] for name in Cell._fields))
    saved = row["best_fixed"]
    chosen = {name: saved[name] for name in ("window_s", "size", "limit")}
    times = arrival_times(cell)
    ours, best = run(cell, times), run(cell, times, partial(FixedWindow, **chosen))
    if round(best.good, 6) != round(saved["good"], 6):
        raise SystemExit(f"{cell}: the opponent answered {best.good}, not {saved['good']}; leave --ours out")
    ratio = ours.good / best.good if best.good else float("inf")
    return {
        **cell._asdict(),
        "ours": asdict(ours),
        "best_fixed": {**asdict(best), **chosen},
        "ratio": round(ratio, 4),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Worst and mean ratio, in all and by kind of arrivals."""
    by_kind = {kind: [row["ratio"] for row in rows if row["arrivals"] == kind] for kind in ARRIVALS}
    return {
        "cells": len(rows),
        "below": sum(row["ratio"] < NEVER_BELOW for row in rows),
        "worst": min(row["ratio"] for row in rows),
        "mean": {kind: round(_mean(ratios), 4) for kind, ratios in by_kind.items() if ratios},
    }


def draw(rows: Sequence[dict[str, Any]]) -> str:
    """Goodput over load, one panel per kind of arrivals: both as means over costs and workers."""
    panels = [
        _panel(kind, [row for row in rows if row["arrivals"] == kind], LEFT + number * PANEL)
        for number, kind in enumerate(ARRIVALS)
    ]
    title = "Requests answered within the latency goal (share of sent)"
    legend = (
        f'<rect class="ours" x="{LEFT}" y="276" width="12" height="12"/>'
        f'<text x="{LEFT + 18}" y="286">bentoml, defaults</text>'
        f'<rect class="peer" x="{LEFT + 150}" y="276" width="12" height="12"/>'
        f'<text x="{LEFT + 168}" y="286">best fixed window, size and queue limit for each cell</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 300" width="{WIDTH}" role="img">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f'<text class="title" x="8" y="18">{escape(title)}</text>'
        f"{''.join(panels)}{legend}</svg>\n"
    )


def _panel(kind: str, rows: Sequence[dict[str, Any]], left: int) -> str:
    parts = [f'<text class="title" x="{left}" y="38">{escape(kind)}</text>']
    bottom = TOP + HEIGHT
    for share in (0.0, 0.5, 1.0):
        y = bottom - HEIGHT * share
        parts.append(f'<line class="axis" x1="{left}" y1="{y:.0f}" x2="{left + PANEL - 30}" y2="{y:.0f}"/>')
        if left == LEFT:
            parts.append(
                f'<text class="tick" x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>'
            )
    for number, load in enumerate(LOADS):
        some = [row for row in rows if row["load"] == load]
        x = left + 8 + number * 54
        for offset, side in ((0, "ours"), (20, "best_fixed")):
            share = sum(row[side]["good"] for row in some) / len(some)
            name = "ours" if side == "ours" else "peer"
            parts.append(
                f'<rect class="{name}" x="{x + offset}" y="{bottom - HEIGHT * share:.1f}" width="18" '
                f'height="{HEIGHT * share:.1f}"><title>{share:.1%}</title></rect>'
            )
        parts.append(
            f'<text class="tick" x="{x + 19}" y="{bottom + 14}" text-anchor="middle">load {load:g}</text>'
        )
    return "".join(parts)


def _mean(ratios: Sequence[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a coarse grid for the opponent")
    parser.add_argument("--ours", action="store_true", help="only the saved winners of the opponent again")
    parser.add_argument("--draw", action="store_true", help="only draw the saved results again")
    flags = parser.parse_args()
    saved = json.loads(RESULTS.read_text()) if flags.draw or flags.ours else {}
    if flags.ours:
        with Pool(flags.processes) as pool:
            saved["rows"] = pool.map(measure_ours, saved["rows"])
        saved["summary"] = summary(saved["rows"])
    elif not flags.draw:
        grid = SMALL if flags.quick else FULL
        with Pool(flags.processes) as pool:
            rows = []
            for row in pool.imap(partial(measure, grid=grid), full_grid()):
                rows.append(row)
                print(f"{row['arrivals']:9} a/D={row['fixed_share']:<5} workers={row['workers']} "
                      f"load={row['load']:<4} ratio {row['ratio']:.3f}", flush=True)  # fmt: skip
        axes = {"arrivals": ARRIVALS, "fixed_share": FIXED_SHARES, "workers": WORKERS, "load": LOADS}
        saved = {
            "goal_s": GOAL_S,
            "axes": axes,
            "opponent": grid._asdict(),
            "summary": summary(rows),
            "rows": rows,
        }
    if not flags.draw:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(saved, indent=1) + "\n")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(draw(saved["rows"]))
    print(json.dumps(saved["summary"], indent=1))


if __name__ == "__main__":
    main()
