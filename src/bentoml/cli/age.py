"""Spans of time as people say them: "20.54 seconds", "1 day and 2 hours"."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (
    ("year", 365 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


def human_span(span: timedelta) -> str:
    """The two largest units of a span; below a minute, seconds with two decimals."""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 60:
        rounded = f"{seconds:.2f}".rstrip("0").rstrip(".")
        return f"{rounded} second" if rounded == "1" else f"{rounded} seconds"
    rest = int(seconds)
    parts = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}" if count == 1 else f"{count} {unit}s")
    return " and ".join(parts[:2])
