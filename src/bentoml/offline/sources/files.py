"""Files and images, one item each; a worker opens them, so they never pass through the parent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from bentoml.offline.locations import identity_of
from bentoml.offline.values import Chunk, Mode, Position

from .base import Wanted

_FILES = 256


def open_files(locations: Sequence[str], wanted: Wanted) -> FilesSource:
    return FilesSource(locations)


class FilesSource:
    """The files at `locations`; the column `path` has their names."""

    mode: Mode = "files"

    def __init__(self, locations: Sequence[str], chunk_files: int = _FILES) -> None:
        self.locations = locations
        self._chunk_files = chunk_files

    def identity(self) -> Any:
        listing = json.dumps(identity_of(self.locations)).encode()
        return {"files": len(self.locations), "sha256": hashlib.sha256(listing).hexdigest()}

    def total_rows(self) -> int | None:
        return len(self.locations)

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        count = len(self.locations)
        for first in range(start["file"] if start else 0, count, self._chunk_files):
            paths = pa.array(self.locations[first : first + self._chunk_files], pa.string())
            batch = pa.RecordBatch.from_arrays([paths], names=["path"])
            yield Chunk({"file": first}, first, batch, share=(first + len(paths)) / count)

    def starts(self, start: Position | None = None) -> list[Position]:
        """Positions from which other readers can begin."""
        first = start["file"] if start else 0
        return [{"file": number} for number in range(first, len(self.locations), self._chunk_files)]
