"""From the body of a request to plain bytes or text: content encoding, charset, one-file forms.

One rule for every adapter that reads text: the charset of the Content-Type (UTF-8 when it names
none) decides, a byte order mark of that charset is dropped, and nothing is guessed. UTF-16 without
`charset=utf-16` is therefore an error, not a surprise.
"""

from __future__ import annotations

import codecs
import zlib
from typing import NamedTuple

from bentoml.exceptions import BadInput, PayloadTooLarge, UnsupportedMediaType
from bentoml.types import Payload, RequestHead

from .limits import DecodeLimits
from .multipart import Part, parse_form

GZIP_WINDOW = 16 + zlib.MAX_WBITS

_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "ascii": "ascii",
    "us-ascii": "ascii",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_CHARSETS = ", ".join(sorted({"utf-8", "ascii", "latin-1", "utf-16"}))


def read_body(payload: Payload, limits: DecodeLimits) -> bytes:
    """The body without its content encoding.

    Raises:
        UnsupportedMediaType: an encoding other than gzip, or more than one.
        PayloadTooLarge: the body is over `max_body_bytes` once unpacked.
        BadInput: the gzip data is broken.
    """
    encoding = payload.head.content_encoding
    if encoding in ("", "identity"):
        return payload.body
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType(
            f"Content-Encoding '{encoding[:64]}' is not supported; send gzip or no content encoding"
        )
    return gunzip(payload.body, limits)


def gunzip(data: bytes, limits: DecodeLimits) -> bytes:
    """Unpack gzip data of one or more members; the output is counted while it is made."""
    if not data:
        raise BadInput("Gzip decompression error: the body is empty")
    chunks: list[bytes] = []
    room = limits.max_body_bytes
    for _ in range(limits.gzip_members):
        unpacker = zlib.decompressobj(GZIP_WINDOW)
        try:
            chunk = unpacker.decompress(data, room + 1)
        except zlib.error as err:
            raise BadInput("Gzip decompression error: the data is corrupt") from err
        room -= len(chunk)
        if room < 0:
            raise PayloadTooLarge(f"The decompressed body is over {limits.max_body_bytes} bytes")
        if not unpacker.eof:
            raise BadInput("Gzip decompression error: the data ends too early")
        chunks.append(chunk)
        data = unpacker.unused_data
        if not data:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    raise PayloadTooLarge(f"The body has more than {limits.gzip_members} gzip members")


def codec_of(charset: str | None) -> str:
    """Python's name for an accepted charset. Raises `UnsupportedMediaType` for any other."""
    if charset is None:
        return "utf-8"
    codec = _CODECS.get(charset.strip().lower().replace("_", "-"))
    if codec is None:
        raise UnsupportedMediaType(f"Unsupported charset '{charset[:64]}'; send one of {_CHARSETS}")
    return codec


def decode_text(data: bytes, charset: str | None) -> str:
    """Text of `data`, its byte order mark dropped. Raises `BadInput` if it is not that charset."""
    codec = codec_of(charset)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as err:
        raise BadInput(f"The body is not valid {codec} at byte {err.start}") from err
    return text.removeprefix("\ufeff")


class TextSource(NamedTuple):
    """Where the text of a request lies: its bytes, charset, media type and file name."""

    data: bytes
    charset: str | None
    content_type: str
    name: str

    def utf8(self) -> bytes:
        """UTF-8 bytes without a byte order mark, not yet checked to be UTF-8."""
        if codec_of(self.charset) == "utf-8":
            return self.data.removeprefix(codecs.BOM_UTF8)
        return decode_text(self.data, self.charset).encode("utf-8", "surrogatepass")

    def text(self) -> str:
        return decode_text(self.data, self.charset)


def read_text(payload: Payload, limits: DecodeLimits) -> str:
    """The body as text; of a form, its one file. Raises `BadInput` and its subclasses."""
    return text_source(payload, limits).text()


def text_source(payload: Payload, limits: DecodeLimits) -> TextSource:
    """The body, or the one file of a form. Raises `BadInput` and its subclasses."""
    head = payload.head
    if head.is_plain:
        return TextSource(payload.body, head.charset, head.content_type, payload.name)
    if not is_multipart(head):
        return TextSource(read_body(payload, limits), head.charset, head.content_type, payload.name)
    files = [part for part in read_form(payload, limits) if part.is_file]
    if len(files) != 1:
        raise BadInput(f"BentoML accepts one text file at a time, this form has {len(files)} files")
    part = files[0]
    kind = part.content_type.partition(";")[0].strip().lower()
    return TextSource(part.data, part.charset, kind, part.filename or "")


def read_form(payload: Payload, limits: DecodeLimits) -> list[Part]:
    """The parts of a `multipart/form-data` body."""
    return parse_form(read_body(payload, limits), payload.head.headers.get("content-type", ""), limits)


def is_multipart(head: RequestHead) -> bool:
    return head.content_type.startswith("multipart/")
