"""From cells to medians, ratios and a table that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

OURS = "ours"
Cells = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """Medians of one server over the rounds; `ratio` is ours divided by it, taken round by round."""

    workload: str
    connections: int
    peer: str
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    faults: int
    noisy: int


def rows(cells: Cells) -> list[Row]:
    """One row per workload, number of connections and server, fastest last."""
    table = []
    for workload in _distinct(cells, "workload"):
        for connections in sorted(_distinct(cells, "connections")):
            here = [c for c in cells if c["workload"] == workload and c["connections"] == connections]
            ours = {c["round"]: c["rate"] for c in here if c["peer"] == OURS}
            table += sorted(
                (_row(here, peer, ours) for peer in _distinct(here, "peer")), key=lambda r: r.rate
            )
    return table


def _distinct(cells: Cells, key: str) -> list[Any]:
    return list(dict.fromkeys(c[key] for c in cells))


def _row(here: Cells, peer: str, ours: dict[int, float]) -> Row:
    mine = [c for c in here if c["peer"] == peer]
    ratios = [ours[c["round"]] / c["rate"] for c in mine if c["round"] in ours and c["rate"]]
    return Row(
        workload=mine[0]["workload"],
        connections=mine[0]["connections"],
        peer=peer,
        rate=median(c["rate"] for c in mine),
        p50_ms=median(c["p50_us"] for c in mine) / 1000,
        p99_ms=median(c["p99_us"] for c in mine) / 1000,
        cpu_us=median(c["cpu_us_per_request"] for c in mine),
        ratio=median(ratios) if ratios else None,
        ratio_low=min(ratios, default=None),
        ratio_high=max(ratios, default=None),
        faults=sum(c["faults"] + c["faults_while_reading_answers"] for c in mine),
        noisy=sum(not c["quiet"] for c in mine),
    )


def failures_as_markdown(failures: Sequence[dict[str, Any]], titles: dict[str, str]) -> str:
    """Whose turn ended before it was measured, with the last line of the reason."""
    lines = ["Not measured:", ""]
    for failure in failures:
        why = failure["why"].strip().splitlines()
        lines.append(
            f"- {titles[failure['peer']]}, {failure['workload']}, round {failure['round']}: "
            f"{why[0][:200] if why else 'no reason given'}"
        )
    return "\n".join(lines)


def as_markdown(table: Sequence[Row], titles: dict[str, str]) -> str:
    """The table of the documentation; figures are medians over the rounds."""
    lines = [
        "| work | connections | server | requests/s | p50 ms | p99 ms | CPU µs/request "
        "| ours is faster by | faults |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in table:
        ratio = "–"
        if row.ratio is not None and row.peer != OURS:
            ratio = f"{_short(row.ratio)}x ({_short(row.ratio_low)}–{_short(row.ratio_high)})"
        noisy = " (noisy)" if row.noisy else ""
        lines.append(
            f"| {row.workload} | {row.connections} | {titles.get(row.peer, row.peer)} "
            f"| {rate_text(row.rate)}{noisy} | {row.p50_ms:.2f} | {row.p99_ms:.2f} | {row.cpu_us:.0f} "
            f"| {ratio} | {row.faults} |"
        )
    return "\n".join(lines)


def one_line(cell: dict[str, Any]) -> str:
    """What is printed as soon as a cell is measured."""
    line = (
        f"round {cell['round']}  {cell['workload']:4} c={cell['connections']:<4} {cell['peer']:13} "
        f"{rate_text(cell['rate']):>10}/s  "
        f"p50 {cell['p50_us'] / 1e3:8.2f} ms  p99 {cell['p99_us'] / 1e3:8.2f} ms"
    )
    if cell["faults"] or cell["faults_while_reading_answers"]:
        line += f"  FAULTS {cell['faults']}, wrong {cell['faults_while_reading_answers']}"
    return line if cell["quiet"] else f"{line}  (machine was not quiet)"


def rate_text(per_s: float) -> str:
    """Whole requests, but not for models that take seconds."""
    return f"{per_s:,.0f}" if per_s >= 10 else f"{per_s:.2f}"


def _short(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 20 else f"{value:.2g}" if value < 1 else f"{value:.1f}"
