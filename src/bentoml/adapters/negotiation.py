"""The `Accept` header: which of several forms of an answer a client gets.

A header that accepts none of them, or cannot be read, gets the first form: an answer of another type
is of more use than a 406 after the work has been done.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

MAX_RANGES = 32
ANYTHING = frozenset({"", "*/*"})

PARQUET = "application/vnd.apache.parquet"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
ALIASES = {
    "application/parquet": PARQUET,
    "application/x-parquet": PARQUET,
    "application/arrow": ARROW_STREAM,
    "application/x-arrow": ARROW_STREAM,
    "application/x-apache-arrow-stream": ARROW_STREAM,
    "image/jpg": "image/jpeg",
}


@lru_cache(maxsize=512)
def preferred(accept: str, offered: tuple[str, ...]) -> str:
    """The media type of `offered` that `accept` asks for.

    The highest quality wins, then the more specific range, then the order of `offered`.
    """
    if accept in ANYTHING:
        return offered[0]
    ranges = _ranges(accept)
    best, best_rank = offered[0], (0.0, -1)
    for form in offered:
        rank = _rank(form, ranges)
        if rank[0] > 0 and rank > best_rank:
            best, best_rank = form, rank
    return best


def _ranges(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in accept[:2048].split(",")[:MAX_RANGES]:
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if "/" in name:
            found[ALIASES.get(name, name)] = _quality(quality)
    return found


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0


def _rank(form: str, ranges: dict[str, float]) -> tuple[float, int]:
    """Quality and how specific the range is that decides about `form`."""
    family = form.partition("/")[0]
    for place, name in ((2, form), (1, f"{family}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], place
    return 0.0, -1


def preferred_of(accepts: Sequence[str], offered: tuple[str, ...]) -> list[str]:
    return [preferred(accept, offered) for accept in accepts]
