"""From the body of a request to plain bytes or text: content encoding, charset, one-file forms.

One rule for every adapter that reads text: the charset of the Content-Type (UTF-8 when it names
none) decides, a byte order mark of that charset is dropped, and nothing is guessed. UTF-16 without
`charset=utf-16` is therefore an error, not a surprise.
"""

from __future__ import annotations

import codecs
import zlib

from ..exceptions import BadInput, PayloadTooLarge, UnsupportedMediaType
from ..types import Payload, RequestHead
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


def read_text(payload: Payload, limits: DecodeLimits) -> str:
    """The body as text; of a form, its one file. Raises `BadInput` and its subclasses."""
    data, charset = _text_source(payload, limits)
    return decode_text(data, charset)


def read_utf8(payload: Payload, limits: DecodeLimits) -> bytes:
    """The body as UTF-8 bytes without a byte order mark, not yet checked to be UTF-8."""
    data, charset = _text_source(payload, limits)
    if codec_of(charset) == "utf-8":
        return data.removeprefix(codecs.BOM_UTF8)
    return decode_text(data, charset).encode("utf-8", "surrogatepass")


def read_form(payload: Payload, limits: DecodeLimits) -> list[Part]:
    """The parts of a `multipart/form-data` body."""
    return parse_form(read_body(payload, limits), payload.head.headers.get("content-type", ""), limits)


def is_multipart(head: RequestHead) -> bool:
    return head.content_type.startswith("multipart/")


def _text_source(payload: Payload, limits: DecodeLimits) -> tuple[bytes, str | None]:
    head = payload.head
    if head.is_plain:
        return payload.body, head.charset
    if not is_multipart(head):
        return read_body(payload, limits), head.charset
    files = [part for part in read_form(payload, limits) if part.is_file]
    if len(files) != 1:
        raise BadInput(f"accepts one text file at a time; this form has {len(files)} files")
    return files[0].data, files[0].charset
