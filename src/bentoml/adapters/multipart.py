"""`multipart/form-data` bodies, parsed in one linear pass with limits on what is kept.

The body is in memory already and its size is bounded, so parts are too. File names are data: they
are handed on as text and nothing is ever opened by them. A part's own content encoding or transfer
encoding is not undone; its bytes are opaque.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from bentoml.exceptions import BadInput, PayloadTooLarge
from bentoml.http_headers import content_type_parameter

from .limits import DecodeLimits

MAX_BOUNDARY = 70  # RFC 2046
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]*)"|([^;\s]*))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([\w-]+)(\*?)=(?:"((?:[^"\\]|\\.)*)"|([^;]*))')


class Part(NamedTuple):
    """One part: field name, file name (None for a text field), Content-Type value, bytes."""

    name: str
    filename: str | None
    content_type: str
    data: bytes

    @property
    def is_file(self) -> bool:
        return self.filename is not None

    @property
    def charset(self) -> str | None:
        return content_type_parameter(self.content_type, "charset")


def parse_form(body: bytes, content_type: str, limits: DecodeLimits) -> list[Part]:
    """All parts of a form, in order.

    Raises:
        BadInput: not a well-formed form, or bytes before or after it.
        PayloadTooLarge: too many parts, or a part's header block is too large.
    """
    boundary = _boundary(content_type)
    _check_frame(body, boundary)
    collector = _Collector(limits)
    collector.feed(body, boundary)
    return collector.parts


def _boundary(content_type: str) -> bytes:
    if not content_type[:20].lower().startswith("multipart/form-data"):
        raise BadInput("Only multipart/form-data is understood among multipart bodies")
    found = _BOUNDARY.search(content_type[:1024])
    text = (found.group(1) or found.group(2) or "") if found else ""
    if not text or len(text) > MAX_BOUNDARY or not text.isascii():
        raise BadInput(f"A multipart body needs a boundary of 1 to {MAX_BOUNDARY} ASCII characters")
    return text.encode("ascii")


def _check_frame(body: bytes, boundary: bytes) -> None:
    """A preamble or epilogue is only ever used to make parsers work; both are refused."""
    if not body.startswith(b"--" + boundary):
        raise BadInput("The multipart body does not start with its boundary")
    closing = b"\r\n--" + boundary + b"--"
    end = body.rfind(closing)
    if end < 0:
        if body.strip() == b"--" + boundary + b"--":
            raise BadInput("The multipart body has no part")
        raise BadInput("The multipart body is not closed by its boundary")
    if body[end + len(closing) :] not in (b"", b"\r\n"):
        raise BadInput("The multipart body has data after its closing boundary")


class _Collector:
    """Callbacks of the parser: header lines are joined and counted, data is cut out of the body."""

    def __init__(self, limits: DecodeLimits) -> None:
        self.limits = limits
        self.parts: list[Part] = []
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._data: list[bytes] = []
        self._ended = False

    def feed(self, body: bytes, boundary: bytes) -> None:
        from python_multipart.exceptions import FormParserError  # noqa: PLC0415
        from python_multipart.multipart import MultipartParser  # noqa: PLC0415

        callbacks: Any = {
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_end": self._end,
        }
        size = len(body)
        try:  # our own count below decides; the library's caps came in a later release
            parser = MultipartParser(boundary, callbacks, max_header_count=size, max_header_size=size)
        except TypeError:
            parser = MultipartParser(boundary, callbacks)
        try:
            parser.write(body)
        except FormParserError as err:
            raise self._broken(str(err)) from err
        if not self._ended:
            raise self._broken("it ends inside a part")

    def _broken(self, reason: str) -> BadInput:
        return BadInput(f"The multipart body is not well formed: {reason[:120]}")

    def _part_begin(self) -> None:
        if len(self.parts) >= self.limits.multipart_parts:
            raise PayloadTooLarge(f"The form has more than {self.limits.multipart_parts} parts")
        self._headers = {}
        self._header_bytes = 0
        self._data = []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.limits.part_header_bytes:
            raise PayloadTooLarge(f"A part's headers are over {self.limits.part_header_bytes} bytes")

    def _header_end(self) -> None:
        name = self._field.decode("latin-1").strip().lower()
        self._headers[name] = self._value.decode("utf-8", "replace").strip()
        self._field.clear()
        self._value.clear()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _part_end(self) -> None:
        values = _parameters(self._headers.get("content-disposition", ""))
        data = self._data[0] if len(self._data) == 1 else b"".join(self._data)
        content_type = self._headers.get("content-type", "")
        self.parts.append(Part(values.get("name", ""), values.get("filename"), content_type, data))

    def _end(self) -> None:
        self._ended = True


def _parameters(disposition: str) -> dict[str, str]:
    """Parameters of a Content-Disposition; a plain `filename` wins over `filename*`."""
    out: dict[str, str] = {}
    for name, star, quoted, token in _PARAMETER.findall(disposition):
        key = name.lower()
        if not star:
            out[key] = re.sub(r"\\([\"\\])", r"\1", quoted) if quoted else token.strip().strip('"')
        elif key not in out:
            charset, _, encoded = (quoted or token).partition("'")
            codec = "latin-1" if charset.strip().lower() == "iso-8859-1" else "utf-8"
            out[key] = unquote(encoded.partition("'")[2], codec, "replace")
    return out
