"""What the buffers of an Arrow stream claim to hold once unpacked, added up from its messages.

A message's description is a FlatBuffer: tables that point to a list of where their fields are. Only the
few fields with sizes are looked at here; everything else is left to Arrow, which verifies it.
"""

from __future__ import annotations

from struct import error as StructError
from struct import unpack_from
from typing import Any

from bentoml.exceptions import BadInput, PayloadTooLarge

_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_HEADER_TYPE, _HEADER = 1, 2  # fields of a message
_DICTIONARY_DATA = 1
_BUFFERS, _COMPRESSION = 2, 3  # fields of a record batch
_BUFFER_BYTES = 16


def check_stream(arrow: Any, buffer: Any, max_bytes: int) -> None:
    """Raises `PayloadTooLarge` when the unpacked buffers are over `max_bytes`, `BadInput` for nonsense."""
    size = 0
    reader = arrow.ipc.MessageReader.open_stream(buffer)
    try:
        for message in reader:
            body = message.body
            size += _unpacked(memoryview(message.metadata), memoryview(body) if body else memoryview(b""))
            if size > max_bytes:
                raise PayloadTooLarge(f"The unpacked Arrow data is over {max_bytes} bytes")
    except (StructError, IndexError) as err:
        raise BadInput("a message of the Arrow data is damaged") from err


def _unpacked(metadata: memoryview, body: memoryview) -> int:
    message = _offset(metadata, 0)
    kind = _field(metadata, message, _HEADER_TYPE)
    header = _field(metadata, message, _HEADER)
    if not kind or not header or metadata[kind] not in (_DICTIONARY_BATCH, _RECORD_BATCH):
        return len(body)
    batch = _offset(metadata, header)
    if metadata[kind] == _DICTIONARY_BATCH:
        data = _field(metadata, batch, _DICTIONARY_DATA)
        batch = _offset(metadata, data) if data else batch
    buffers = _field(metadata, batch, _BUFFERS)
    if not _field(metadata, batch, _COMPRESSION) or not buffers:
        return len(body)
    return _sum_of_buffers(metadata, _offset(metadata, buffers), body)


def _sum_of_buffers(metadata: memoryview, vector: int, body: memoryview) -> int:
    """A packed buffer begins with its unpacked size, -1 if it is not packed after all."""
    (count,) = unpack_from("<I", metadata, vector)
    total = 0
    for place in range(count):
        start, size = unpack_from("<qq", metadata, vector + 4 + _BUFFER_BYTES * place)
        if size > 0:
            (claimed,) = unpack_from("<q", body, start)
            total += size if claimed < 0 else claimed
    return total


def _offset(data: memoryview, place: int) -> int:
    return place + int(unpack_from("<I", data, place)[0])


def _field(data: memoryview, table: int, number: int) -> int:
    """Where a field of a table is, 0 if it is not there."""
    listed = table - int(unpack_from("<i", data, table)[0])
    (size,) = unpack_from("<H", data, listed)
    at = 4 + 2 * number
    if at + 2 > size:
        return 0
    (found,) = unpack_from("<H", data, listed + at)
    return table + int(found) if found else 0
