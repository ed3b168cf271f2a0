"""Cuts a stream of bytes into blocks of whole lines, each found again by its offset."""

from __future__ import annotations

import io
from typing import IO

from bentoml.exceptions import InvalidArgument

MAX_LINE_BYTES = 1 << 30
BOM = b"\xef\xbb\xbf"


class LineBlocks:
    """Blocks of a stream.

    Args:
        size: bytes of a block, a little more or less.
        quoted: a newline between double quotes does not end a line.

    Attributes:
        offset: where the next block begins.
    """

    def __init__(self, stream: IO[bytes], size: int, *, quoted: bool = False) -> None:
        self._stream = stream
        self._size = size
        self._quoted = quoted
        self._rest = b""
        self.offset = 0

    def next(self) -> bytes:
        """The next block, empty at the end. Where blocks are cut depends on their own bytes only."""
        want = self._size
        ended = False
        while True:
            while len(self._rest) < want and not ended:
                data = self._stream.read(want - len(self._rest))
                ended = not data
                self._rest += data
            if ended and len(self._rest) <= want:
                return self._take(len(self._rest))
            cut = self._last_line_end(want)
            if cut:
                return self._take(cut)
            want *= 2
            if want > MAX_LINE_BYTES:
                raise InvalidArgument(f"A line at byte {self.offset} is longer than {MAX_LINE_BYTES} bytes")

    def skip_to(self, offset: int) -> None:
        """Go forward to a byte offset."""
        ahead = offset - self.offset
        if ahead <= len(self._rest):
            self._rest = self._rest[ahead:]
        else:
            ahead -= len(self._rest)
            self._rest = b""
            self._discard(ahead)
        self.offset = offset

    def _discard(self, count: int) -> None:
        if self._stream.seekable():
            self._stream.seek(count, io.SEEK_CUR)
            return
        while count:
            data = self._stream.read(min(count, 1 << 20))
            if not data:
                raise InvalidArgument("The input is shorter than it was when this job was started")
            count -= len(data)

    def _take(self, count: int) -> bytes:
        block, self._rest = self._rest[:count], self._rest[count:]
        self.offset += count
        return block

    def _last_line_end(self, limit: int) -> int:
        end = self._rest.rfind(b"\n", 0, limit) + 1
        if not self._quoted or not end:
            return end
        quotes = self._rest.count(b'"', 0, end)
        while end and quotes % 2:
            before = self._rest.rfind(b"\n", 0, end - 1) + 1
            quotes -= self._rest.count(b'"', before, end)
            end = before
        return end
