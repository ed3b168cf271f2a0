"""The open loop's table: latencies from the intended time of sending, medians over the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .report import OURS

BUSY_GENERATOR = 0.6


@dataclass(frozen=True)
class OpenRow:
    """One server at one load; `generator_cpu` is the worst of all rounds."""

    workload: str
    connections: int
    peer: str
    load: float
    arrivals: str
    offered: float
    answered: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    lag_p99_ms: float
    generator_cpu: float
    faults: int


def rows(cells: Sequence[dict[str, Any]]) -> list[OpenRow]:
    """One row per workload, connections of the closed loop before it, load, kind of arrivals and server."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for cell in cells:
        for run in cell.get("open_loop", ()):
            key = (cell["workload"], cell["connections"], run["load"], run["arrivals"], cell["peer"])
            groups.setdefault(key, []).append(run)
    return [_row(key, runs) for key, runs in sorted(groups.items())]


def _row(key: tuple[Any, ...], runs: list[dict[str, Any]]) -> OpenRow:
    workload, connections, load, arrivals, peer = key
    return OpenRow(
        workload=workload,
        connections=connections,
        peer=peer,
        load=load,
        arrivals=arrivals,
        offered=median(r["offered"] for r in runs),
        answered=median(r["answered"] for r in runs),
        p50_ms=median(r["p50_us"] for r in runs) / 1000,
        p99_ms=median(r["p99_us"] for r in runs) / 1000,
        p999_ms=median(r["p999_us"] for r in runs) / 1000,
        lag_p99_ms=median(r["lag_p99_us"] for r in runs) / 1000,
        generator_cpu=max(r["generator_cpu"] for r in runs),
        faults=sum(sum(r["failures"].values()) for r in runs),
    )


def as_markdown(table: Sequence[OpenRow], titles: dict[str, str]) -> str:
    """Each server is sent a share of what it reached in the closed loop with that many connections."""
    lines = [
        "| work | share of closed loop, c | arrivals | server | sent/s | p50 ms | p99 ms | p99.9 ms "
        "| generator late p99 ms | faults |",
        "|---|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in table:
        name = titles.get(row.peer, row.peer)
        busy = " (busy)" if row.generator_cpu > BUSY_GENERATOR else ""
        lines.append(
            f"| {row.workload} | {row.load:g}, c={row.connections} | {row.arrivals} "
            f"| {f'**{name}**' if row.peer == OURS else name} | {row.offered:,.0f} | {row.p50_ms:.2f} "
            f"| {row.p99_ms:.2f} | {row.p999_ms:.2f} | {row.lag_p99_ms:.2f}{busy} | {row.faults} |"
        )
    return "\n".join(lines)
