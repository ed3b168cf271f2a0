"""Arrow IPC: files (also called Feather) and streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from bentoml.exceptions import InvalidArgument
from bentoml.offline.locations import STDIN, identity_of, is_url, open_for_reading, suffix_of
from bentoml.offline.values import Chunk, Mode, Position

from .base import CHUNK_BYTES, CHUNK_ROWS, Wanted

_MAGIC = b"ARROW1"


def open_arrow(location: str, wanted: Wanted) -> ArrowSource:
    return ArrowSource(location, wanted)


class ArrowSource:
    """One file or stream. A position is a record batch and the number of chunks before it in that."""

    mode: Mode = "table"

    def __init__(self, location: str, wanted: Wanted, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.location = location
        self._wanted = wanted
        self._chunk_bytes = chunk_bytes

    def identity(self) -> Any:
        return identity_of([self.location])

    def total_rows(self) -> int | None:
        if self.location == STDIN:
            return None
        with self._batches(0) as (_, batches, count):
            return sum(batch.num_rows for batch in batches) if count is not None else None

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        first = start["batch"] if start else 0
        skipped = start["chunk"] if start else 0
        row = start["row"] if start else 0
        with self._batches(first) as (schema, batches, count):
            columns = self._wanted.select(schema.names)
            for number, whole in enumerate(batches, first):
                batch = whole.select(columns) if columns else whole
                size = self._chunk_rows(batch)
                for part, begin in enumerate(range(0, batch.num_rows, size)):
                    if number == first and part < skipped:
                        continue
                    piece = batch.slice(begin, size)
                    share = (number + (begin + piece.num_rows) / batch.num_rows) / count if count else None
                    position = {"batch": number, "chunk": part, "row": row}
                    yield Chunk(position, row, piece, share=share)
                    row += piece.num_rows

    def starts(self, start: Position | None = None) -> list[Position]:
        """Positions from which other readers can begin: record batches of a file, enough rows together."""
        first = start["batch"] if start else 0
        row = start["row"] if start else 0
        found: list[Position] = [start or {"batch": first, "chunk": 0, "row": row}]
        if not self._is_file():
            return found
        skipped = start["chunk"] if start else 0
        rows = 0
        with self._batches(first) as (schema, batches, _):
            columns = self._wanted.select(schema.names)
            for number, whole in enumerate(batches, first):
                batch = whole.select(columns) if columns else whole
                if rows >= CHUNK_ROWS and batch.num_rows:
                    found.append({"batch": number, "chunk": 0, "row": row})
                    rows = 0
                ahead = batch.num_rows - (skipped * self._chunk_rows(batch) if number == first else 0)
                rows += ahead
                row += ahead
        return found

    def _chunk_rows(self, batch: Any) -> int:
        fitting = self._chunk_bytes * batch.num_rows // max(1, batch.nbytes)
        return int(max(1, min(CHUNK_ROWS, fitting)))

    @contextmanager
    def _batches(self, first: int) -> Iterator[tuple[Any, Iterator[Any], int | None]]:
        """Schema, record batches from number `first` on, and how many there are (files only)."""
        try:
            if self._is_file():
                with pa.memory_map(self.location) as mapped, pa.ipc.open_file(mapped) as file:
                    count = file.num_record_batches
                    yield file.schema, (file.get_batch(i) for i in range(first, count)), count
                return
            with open_for_reading(self.location) as stream, pa.ipc.open_stream(stream) as reader:
                yield reader.schema, _from(reader, first), None
        except pa.ArrowInvalid as err:
            raise InvalidArgument(f"Cannot read '{self.location}' as Arrow IPC: {err}") from err

    def _is_file(self) -> bool:
        if is_url(self.location) or self.location == STDIN or not suffix_of(self.location):
            return False
        with open(self.location, "rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC


def _from(batches: Any, first: int) -> Iterator[Any]:
    for number, batch in enumerate(batches):
        if number >= first:
            yield batch
