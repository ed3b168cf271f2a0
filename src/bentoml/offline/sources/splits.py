"""Stretches of a source that other machines can read by themselves, and their rows in order again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bentoml.offline.locations import STDIN
from bentoml.offline.values import Checkpoint, Chunk, Finished, Mode, Position

from .base import Chain, Source
from .memory import TableSource


@dataclass(frozen=True, slots=True)
class Split:
    """The chunks of a source from one position up to another.

    Attributes:
        source: what to read; the files it names have to be readable where that happens.
        start: first position, None for the beginning.
        stop: first position that is not in it any more, None for the end.
        part: number of the source among several.
        skip: rows of the first chunk that are done already, None when it is untouched.
    """

    source: Source
    start: Position | None = None
    stop: Position | None = None
    part: int = 0
    skip: int | None = None

    def chunks(self) -> Iterator[tuple[Chunk, int | None]]:
        """Each chunk with the rows of it that are done."""
        skip = self.skip
        for chunk in self.source.chunks(self.start):
            if chunk.position == self.stop:
                return
            yield chunk, skip
            skip = None


def splits_of(source: Source, start: Checkpoint | None) -> Iterator[Split]:
    """Splits of what is left, in order: as many as the kind of input allows, at least one."""
    position, skip = (start.position, start.skip) if start else (None, None)
    for split in _splits(source, position):
        yield replace(split, skip=skip)
        skip = None


def chunk_splits(source: Source, start: Position | None, part: int = 0) -> Iterator[Split]:
    """Every chunk, read here, as a split of its own."""
    for chunk in source.chunks(start):
        yield Split(_OneChunk(chunk, source.mode), part=part)


def _splits(source: Source, start: Position | None) -> Iterator[Split]:
    if isinstance(source, Chain):
        first = start["part"] if start else 0
        for number in range(first, len(source.parts)):
            inner = start["at"] if start and number == first else None
            yield from (replace(s, part=number) for s in _splits(source.parts[number], inner))
    elif isinstance(source, TableSource) or getattr(source, "location", None) == STDIN:
        yield from chunk_splits(source, start)
    else:
        listed: Any = getattr(source, "starts", None)
        starts: Sequence[Position | None] = listed(start) if listed else [start]
        for begin, end in zip(starts, [*starts[1:], None], strict=True):
            yield Split(source, begin, end)


@dataclass
class _OneChunk:
    """A chunk that was read already, as a source."""

    chunk: Chunk
    mode: Mode

    def identity(self) -> Any:
        return None

    def total_rows(self) -> int | None:
        return int(self.chunk.batch.num_rows) + len(self.chunk.bad)

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        yield self.chunk


class Placer:
    """Numbers and positions in the whole source, for rows that know those in their own part.

    Args:
        source: the whole source.
        start: where the run begins.
        done: rows before that.
    """

    def __init__(self, source: Source, start: Checkpoint | None, done: int) -> None:
        self._parts = len(source.parts) if isinstance(source, Chain) else 0
        self._part = start.position["part"] if self._parts and start else 0
        self._before = start.position["before"] if self._parts and start else 0
        self._done = done

    def place(self, finished: Finished, part: int) -> Finished:
        """Has to be called in order."""
        if not self._parts:
            return finished
        if part != self._part:
            self._part, self._before = part, self._done
        self._done += finished.rows
        position = {"part": part, "before": self._before, "at": finished.reached.position}
        share = None if finished.share is None else (part + finished.share) / self._parts
        bad = [replace(row, row=row.row + self._before) for row in finished.bad]
        reached = Checkpoint(position, finished.reached.skip)
        return replace(finished, reached=reached, bad=bad, share=share)
