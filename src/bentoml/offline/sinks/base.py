"""What every output is, and how a file appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Protocol

import fsspec
import pyarrow as pa
from fsspec.compression import compr
from fsspec.utils import infer_compression

from bentoml.exceptions import InvalidArgument
from bentoml.offline.locations import is_url
from bentoml.offline.typed import common_schema, conformed, decoded

STDOUT = "-"
FLUSH_ROWS = 1 << 17
FLUSH_BYTES = 32 << 20


class Sink(Protocol):
    """An output. After `write`s comes either `finish` or `abort`."""

    def prepare(self, *, replace: bool) -> None:
        """Fail early if the output cannot be written. `replace`: what is there may be replaced."""
        ...

    def expect(self, batches: Iterable[Any]) -> None:
        """Look at all batches that will be written, where they are known beforehand."""
        ...

    def write(self, batch: Any) -> None: ...

    def finish(self) -> None:
        """Make the output visible under its name."""
        ...

    def abort(self) -> None: ...


class OutputFile:
    """A file that gets its name when it is complete; standard output for `-`.

    A URL is written directly: object stores show a file when it is closed.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._path = None if location == STDOUT or is_url(location) else Path(location)
        self._stream: IO[bytes] | None = None
        self._file: IO[bytes] | None = None

    @property
    def _temporary(self) -> Path:
        assert self._path is not None
        return self._path.with_name(f".{self._path.name}.{os.getpid()}.part")

    def check(self) -> None:
        """Raises `InvalidArgument` when the folder is missing."""
        if self._path is not None and not self._path.absolute().parent.is_dir():
            raise InvalidArgument(f"Cannot write '{self._path}': its folder does not exist; create it first")
        if self._path is not None and self._path.is_dir():
            raise InvalidArgument(f"Cannot write '{self._path}': it is a folder")

    @property
    def stream(self) -> IO[bytes]:
        """Where to write; compressed on the way when the name ends like that."""
        if self._stream is None:
            if self.location == STDOUT:
                self._file = sys.stdout.buffer
            elif self._path is None:
                self._file = fsspec.open(self.location, "wb", compression=None).open()
            else:
                self._file = open(self._temporary, "wb")  # noqa: SIM115 - closed by finish or abort
            compression = infer_compression(self.location)
            self._stream = compr[compression](self._file, mode="wb") if compression else self._file
        return self._stream

    def finish(self) -> None:
        stream, file = self.stream, self._file
        assert file is not None
        if stream is not file:
            stream.close()
        if self.location == STDOUT:
            file.flush()
            return
        if self._path is not None and not file.closed:
            file.flush()
            os.fsync(file.fileno())
        file.close()
        if self._path is not None:
            os.replace(self._temporary, self._path)

    def abort(self) -> None:
        if self._file is None or self.location == STDOUT:
            return
        if self._path is None:
            _discard(self._file)
            return
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()


def _discard(upload: Any) -> None:
    """Give an unfinished upload up. Marked as closed, as closing is what makes an object of it."""
    if hasattr(upload, "discard"):
        upload.discard()
    with contextlib.suppress(AttributeError):  # a file in memory, which is nobody's once it is dropped
        upload.closed = True


class TypedSink(ABC):
    """An output whose columns have one type each. Batches wait until enough of them are there."""

    def __init__(self) -> None:
        self._schema: Any = None
        self._is_open = False
        self._waiting: list[Any] = []
        self._rows = 0
        self._bytes = 0

    @abstractmethod
    def prepare(self, *, replace: bool) -> None: ...

    def expect(self, batches: Iterable[Any]) -> None:
        self._schema = common_schema(decoded(batch).schema for batch in batches)

    def write(self, batch: Any) -> None:
        self._waiting.append(decoded(batch))
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._schema is None:
            self._schema = common_schema(batch.schema for batch in self._waiting) or pa.schema([])
        if not self._is_open:
            self.open(self._schema)
            self._is_open = True
        if self._waiting:
            batches = [conformed(batch, self._schema) for batch in self._waiting]
            self.write_table(pa.Table.from_batches(batches, self._schema))
        self._waiting, self._rows, self._bytes = [], 0, 0

    def finish(self) -> None:
        self._flush()
        self.close()

    @abstractmethod
    def open(self, schema: Any) -> None:
        """Begin the output."""

    @abstractmethod
    def write_table(self, table: Any) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def abort(self) -> None: ...


class ColumnFileSink(TypedSink):
    """One file of typed columns, written by a writer of pyarrow."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self._file = OutputFile(location)
        self._writer: Any = None

    @abstractmethod
    def make_writer(self, stream: IO[bytes], schema: Any) -> Any:
        """What writes tables of that schema to the stream."""

    def prepare(self, *, replace: bool) -> None:
        self._file.check()

    def open(self, schema: Any) -> None:
        self._writer = self.make_writer(self._file.stream, schema)

    def write_table(self, table: Any) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()
        self._file.finish()

    def abort(self) -> None:
        self._file.abort()
