"""Cuts a run of items into parts that hold no more rows than a call may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def spans(rows: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Ranges of neighbours with at most `most` rows together; an item with more is alone in its own."""
    start = held = 0
    for place, count in enumerate(rows):
        if held + count > most and place > start:
            yield start, place
            start, held = place, 0
        held += count
    if start < len(rows):
        yield start, len(rows)
