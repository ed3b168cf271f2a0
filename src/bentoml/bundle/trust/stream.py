"""Reading a file forwards with limits: what the scanners see of files that may be hostile or huge."""

from __future__ import annotations

import io
from typing import IO, Any, cast

CHUNK = 1 << 20
MAX_LINE = 1 << 16
_WINDOW = 1 << 16


class EndOfData(Exception):
    """The stream ends inside something it announced."""


class Stream:
    """Bytes in order. Skipping costs nothing in a file, and is counted against the limit elsewhere.

    Args:
        raw: a binary stream, buffered or not.
        limit: most bytes that are looked at; reading on is `EndOfData`.
    """

    def __init__(self, raw: IO[bytes], limit: int | None = None) -> None:
        self._raw: Any = (
            raw if hasattr(raw, "peek") else io.BufferedReader(cast("io.RawIOBase", raw), _WINDOW)
        )
        self._limit = limit
        self._size = _size_of(self._raw)
        self.position = 0

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises `EndOfData`."""
        self._count(size)
        data: bytes = self._raw.read(size)
        while len(data) < size:
            more = self._raw.read(size - len(data))
            if not more:
                raise EndOfData
            data += more
        return data

    def readline(self) -> bytes:
        """Up to and including a line feed. Raises `EndOfData` for none, and for a very long line."""
        line: bytes = self._raw.readline(MAX_LINE)
        self._count(len(line))
        if not line.endswith(b"\n"):
            raise EndOfData
        return line

    def peek(self, size: int) -> bytes:
        """At most `size` of the next bytes; fewer near the end, or of a stream that is slow to give."""
        return bytes(self._raw.peek(size)[:size])

    def window(self) -> bytes:
        """Some tens of kilobytes from here on, without moving."""
        return self.peek(_WINDOW)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes. Raises `EndOfData` if there are not so many."""
        if size < 0:
            raise EndOfData
        if self._size is not None:
            if self.position + size > self._size:
                raise EndOfData
            self._raw.seek(size, io.SEEK_CUR)
            self.position += size
            return
        while size > 0:
            step = min(size, CHUNK)
            self.read(step)
            size -= step

    def _count(self, size: int) -> None:
        self.position += size
        if size < 0 or (self._size is not None and self.position > self._size):
            raise EndOfData
        if self._limit is not None and self.position > self._limit:
            raise EndOfData


def _size_of(raw: IO[bytes]) -> int | None:
    """How many bytes are left of a file; None for a stream that is decompressed on the way."""
    if isinstance(raw, io.BufferedReader) and isinstance(raw.raw, (io.FileIO, io.BytesIO)):
        here = raw.tell()
        size = raw.seek(0, io.SEEK_END) - here
        raw.seek(here)
        return size
    return None
