"""From chunks to pieces for one call each, and from the outcome of a call to finished rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .cells import row_data
from .kept import Keeper
from .planner import BatchPlanner
from .values import BadRow, Checkpoint, Chunk, Finished, Outcome, Piece


def cut(
    chunks: Iterable[Chunk], planner: BatchPlanner, skip: int | None = None, share: float | None = None
) -> Iterator[Piece]:
    """Cut chunks as the planner says at that moment.

    Args:
        skip: rows of the first chunk that are done, its bad rows too; None when it is untouched.
        share: of the whole input that comes before the first chunk, None if unknown.
    """
    for chunk in chunks:
        before, share = share, chunk.share
        count = chunk.batch.num_rows
        begin, bad = (0, list(chunk.bad)) if skip is None else (skip, [])
        skip = None
        if begin >= count and bad:
            yield Piece(chunk, count, count, share, bad)
        while begin < count:
            size = planner.rows
            end = count if count - begin < size + size // 2 else begin + size
            reached = share if before is None or share is None else before + (share - before) * end / count
            yield Piece(chunk, begin, end, reached, bad)
            begin, bad = end, []


def finish(piece: Piece, outcome: Outcome, keeper: Keeper) -> Finished:
    """What a piece leaves behind once its call is over."""
    batch = piece.batch
    failed = [
        BadRow(piece.chunk.row_number(piece.start + place), reason, _data(batch, place))
        for place, reason in outcome.failed
    ]
    bad = sorted([*piece.bad, *failed], key=lambda row: row.row)
    reached = Checkpoint(piece.chunk.position, piece.stop)
    rows = piece.rows + len(piece.bad)
    return Finished(keeper.output(batch, outcome), rows, bad, reached, piece.share)


def _data(batch: Any, place: int) -> Any:
    if batch.schema.names == ["line"]:
        return batch.column(0)[place].as_py().decode("utf-8", "replace")
    return row_data(batch, place)
