"""What every input is: chunks of rows, in an order that does not change, from any earlier position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pyarrow as pa

from bentoml.offline.values import Chunk, Mode, Position

CHUNK_BYTES = 4 << 20
CHUNK_ROWS = 1 << 17


class Source(Protocol):
    """An input.

    Attributes:
        mode: what a row is: values of a table, the bytes of a line, or a file.
    """

    mode: Mode

    def identity(self) -> Any:
        """JSON that differs when the input is another one or was changed."""
        ...

    def total_rows(self) -> int | None:
        """Number of rows where that is cheap to know."""
        ...

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        """All chunks, or those from a position that an earlier chunk had; both times the same ones."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the API at the other end says about its input.

    Attributes:
        tables: the adapter takes whole tables, so lines are to be read as rows.
        text_columns: names or places of columns whose fields stay as they were written.
        columns: the only columns that are used, None for all.
    """

    tables: bool = True
    text_columns: frozenset[Any] = frozenset()
    columns: Sequence[str] | None = field(default=None)

    def select(self, names: Sequence[str]) -> list[str] | None:
        """Those of `names` that are used; None for all, also when one that is needed is not there."""
        if self.columns is None or not set(self.columns) <= set(names):
            return None
        return [name for name in names if name in set(self.columns)]


def one_batch(table: Any) -> Any:
    """The rows of a table as one record batch."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


class Chain:
    """Several inputs of one kind, one after the other, as one."""

    def __init__(self, parts: Sequence[Source]) -> None:
        self.parts = parts
        self.mode: Mode = parts[0].mode

    def identity(self) -> Any:
        return [part.identity() for part in self.parts]

    def total_rows(self) -> int | None:
        counts = [part.total_rows() for part in self.parts]
        return None if None in counts else sum(count for count in counts if count is not None)

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        first = start["part"] if start else 0
        before = start["before"] if start else 0
        for number in range(first, len(self.parts)):
            inner = start["at"] if start and number == first else None
            rows = 0
            for chunk in self.parts[number].chunks(inner):
                rows = chunk.first_row + chunk.batch.num_rows + len(chunk.bad)
                yield self._shifted(chunk, number, before)
            before += rows

    def _shifted(self, chunk: Chunk, number: int, before: int) -> Chunk:
        share = None if chunk.share is None else (number + chunk.share) / len(self.parts)
        return replace(
            chunk,
            position={"part": number, "before": before, "at": chunk.position},
            first_row=chunk.first_row + before,
            bad=[replace(row, row=row.row + before) for row in chunk.bad],
            share=share,
        )
