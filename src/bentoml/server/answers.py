"""The first bytes of responses, made once per kind of answer and second, not once per response."""

from __future__ import annotations

import http
from collections.abc import Iterable
from struct import unpack_from

STATUS_BYTES = 2
HEADS_KEPT = 4096
SERVER = b"server: bentoml\r\n"


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` and its line end."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


class AnswerHead:
    """What the responses of one kind share.

    Attributes:
        status: HTTP status.
        lines: header lines of this kind (content type, …), each with its line end.
        prefix: status line, date, server and `lines`; renewed when `stamp` is old.
    """

    __slots__ = ("lines", "prefix", "stamp", "status")

    def __init__(self, status: int, lines: bytes) -> None:
        self.status = status
        self.lines = lines
        self.stamp = -1
        self.prefix = b""


class AnswerHeads:
    """Interns answer heads and keeps their date current."""

    def __init__(self) -> None:
        self.stamp = 0
        self._common = SERVER
        self._by_raw: dict[bytes, AnswerHead] = {}
        self._errors: dict[tuple[int, int | None], AnswerHead] = {}

    def set_common(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """New values for what every response carries (`date`, `server`)."""
        self._common = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        self.stamp += 1

    def of_worker(self, raw: bytes) -> AnswerHead:
        """The head a worker sent: u16 status, then header lines."""
        head = self._by_raw.get(raw)
        if head is None:
            (status,) = unpack_from("<H", raw)
            head = AnswerHead(status, raw[STATUS_BYTES:])
            if len(self._by_raw) >= HEADS_KEPT:
                self._by_raw.clear()
            self._by_raw[raw] = head
        return head

    def of_error(self, status: int, retry_after_s: int | None = None) -> AnswerHead:
        """The head of a plain-text error."""
        key = (status, retry_after_s)
        head = self._errors.get(key)
        if head is None:
            lines = b"content-type: text/plain; charset=utf-8\r\n"
            if retry_after_s is not None:
                lines += b"retry-after: %d\r\n" % retry_after_s
            head = self._errors[key] = AnswerHead(status, lines)
        return head

    def prefix(self, head: AnswerHead) -> bytes:
        """Status line and header lines up to, not including, the request's own fields."""
        if head.stamp != self.stamp:
            head.prefix = status_line(head.status) + self._common + head.lines
            head.stamp = self.stamp
        return head.prefix
