"""Plots of a deployment's figures: from rows of numbers to the paths and labels that a template draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

WIDTH, HEIGHT = 600.0, 120.0
GAP_S = 30.0
LEAST_S = 120.0
TABLE_ROWS = 30
MOST_POINTS = 240
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name for people, its key in a row, and its style."""

    label: str
    key: str
    style: str


@dataclass(frozen=True, slots=True)
class Line:
    """A series as a path; `area` closes it down to zero, `latest` is its last value as text."""

    label: str
    style: str
    path: str
    area: str
    latest: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What a template needs to draw one plot; `ticks` from the top down, `moments` from left to right."""

    key: str
    title: str
    lines: tuple[Line, ...]
    ticks: tuple[str, ...]
    moments: tuple[str, ...]
    summary: str


def charts(rows: Sequence[Row], minutes: int) -> list[Chart]:
    """The plots of the rows of the last minutes, or since the first row; none if there are none."""
    if not rows:
        return []
    end = max(float(row["at"]) for row in rows)
    first = min(float(row["at"]) for row in rows)
    start = max(end - 60.0 * minutes, min(first, end - LEAST_S))
    shown = _thinned([row for row in rows if row["at"] >= start])
    return [_chart(key, shown, start, end) for key in _CHARTS]


def table(rows: Sequence[Row], minutes: int) -> list[Row]:
    """The figures in few rows, newest first: for those who read instead of looking."""
    if not rows:
        return []
    start = max(float(row["at"]) for row in rows) - 60.0 * minutes
    shown = [row for row in rows if row["at"] >= start]
    step = math.ceil(len(shown) / TABLE_ROWS)
    return [
        {"time": _clock(row["at"], seconds=True), **{key: figure_text(row, key) for key in _FORMATS}}
        for row in shown[::-1][::step]
    ]


def _thinned(rows: Sequence[Row]) -> Sequence[Row]:
    """Rows that lie close together as one: what is bad by its worst, the rest by its mean."""
    step = math.ceil(len(rows) / MOST_POINTS)
    if step == 1:
        return rows
    thin: list[Row] = []
    for first in range(0, len(rows), step):
        group = rows[first : first + step]
        row: Row = {"at": group[-1]["at"]}
        for key in _FORMATS:
            known = [one[key] for one in group if one.get(key) is not None]
            worst = key in ("errors_per_s", "p99_ms")
            row[key] = (max(known) if worst else sum(known) / len(known)) if known else None
        thin.append(row)
    return thin


def _chart(key: str, rows: Sequence[Row], start: float, end: float) -> Chart:
    title, series = _CHARTS[key]
    form = _FORMATS[series[0].key]
    values = [row[one.key] for one in series for row in rows if row.get(one.key) is not None]
    top = _round_up(max(values, default=0.0), 2 if key == "memory" else 10)
    lines = tuple(_line(one, rows, start, end, top) for one in series)
    middle = start + (end - start) / 2
    summary = "; ".join(f"{one.label} {one.latest}" for one in lines)
    return Chart(
        key=key,
        title=title,
        lines=lines,
        ticks=(form(top), form(top / 2), "0"),
        moments=tuple(_clock(moment) for moment in (start, middle, end)),
        summary=f"{title} from {_clock(start)} to {_clock(end)} UTC. Last: {summary}.",
    )


def _line(series: Series, rows: Sequence[Row], start: float, end: float, top: float) -> Line:
    path: list[str] = []
    area: list[str] = []
    for run in _runs(series.key, rows):
        points = [
            f"{WIDTH * (at - start) / (end - start):.1f} {HEIGHT * (1 - min(value, top) / top):.1f}"
            for at, value in run
        ]
        left, right = points[0].split()[0], points[-1].split()[0]
        path.append(f"M{'L'.join(points)}" if len(points) > 1 else f"M{points[0]}h0.1")
        area.append(f"M{left} {HEIGHT:.0f}L{'L'.join(points)}L{right} {HEIGHT:.0f}Z")
    last = next((row[series.key] for row in reversed(rows) if row.get(series.key) is not None), None)
    latest = "–" if last is None else _FORMATS[series.key](last)
    return Line(series.label, series.style, "".join(path), "".join(area), latest)


def _runs(key: str, rows: Sequence[Row]) -> list[list[tuple[float, float]]]:
    """Points that belong together: where nothing is known there is a gap."""
    runs: list[list[tuple[float, float]]] = []
    before = -math.inf
    for row in rows:
        if row.get(key) is None:
            continue
        if row["at"] - before > GAP_S:
            runs.append([])
        runs[-1].append((float(row["at"]), float(row[key])))
        before = row["at"]
    return runs


def _round_up(value: float, base: int) -> float:
    """The next number that reads well on an axis."""
    if value <= 0:
        return 1.0
    if base == 2:
        return float(2 ** math.ceil(math.log2(value)))
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999)


def _number(value: float) -> str:
    if value >= 10000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _milliseconds(value: float) -> str:
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{_number(value)} ms"


def _bytes(value: float) -> str:
    """Binary units: the ticks are powers of two."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.3g} {units[0]}" if value < 100 else f"{value:.0f} {units[0]}"


def _clock(moment: float, *, seconds: bool = False) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%H:%M:%S" if seconds else "%H:%M")


def figure_text(row: Row, key: str) -> str:
    """One figure of a row, with its unit."""
    value = row.get(key)
    return "–" if value is None else _FORMATS[key](value)


_FORMATS: dict[str, Callable[[float], str]] = {
    "requests_per_s": lambda value: f"{_number(value)}/s",
    "errors_per_s": lambda value: f"{_number(value)}/s",
    "p50_ms": _milliseconds,
    "p99_ms": _milliseconds,
    "cpu_cores": lambda value: f"{_number(value)} cores",
    "memory_bytes": _bytes,
}
_CHARTS: dict[str, tuple[str, tuple[Series, ...]]] = {
    "requests": (
        "Requests",
        (Series("answers", "requests_per_s", "first"), Series("errors", "errors_per_s", "bad")),
    ),
    "latency": (
        "Latency",
        (Series("median", "p50_ms", "first"), Series("99th percentile", "p99_ms", "second")),
    ),
    "cpu": ("CPU", (Series("used", "cpu_cores", "first"),)),
    "memory": ("Memory", (Series("held", "memory_bytes", "first"),)),
}
