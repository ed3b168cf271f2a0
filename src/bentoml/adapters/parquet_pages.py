"""What the pages of a Parquet file claim to hold, read from their headers and added up.

A page header is a Thrift structure in the compact protocol. Arrow's reader allocates what it says and
decodes as many values as it says, so nothing is read before the sums are within bounds.
"""

from __future__ import annotations

from typing import Any

from bentoml.exceptions import BadInput, PayloadTooLarge

MAX_CHUNKS = 100_000
MAX_PAGES = 100_000
MAX_FIXED_BYTES = 64
DELTA_BYTE_ARRAY = 7
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)
_UNCOMPRESSED, _COMPRESSED = 2, 3  # fields of a page header
_DATA, _DICTIONARY, _DATA_V2 = 5, 7, 8
_ENCODING = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
Fields = dict[int, Any]


def check_pages(data: bytes, metadata: Any, max_bytes: int, max_values: int) -> None:
    """Raises `PayloadTooLarge` for more bytes or values, `BadInput` for pages that make no sense."""
    groups, columns = metadata.num_row_groups, metadata.num_columns
    if groups * columns > MAX_CHUNKS:
        raise PayloadTooLarge(f"{groups * columns} column chunks; at most {MAX_CHUNKS} are taken")
    for i in range(columns):
        column = metadata.schema.column(i)
        if column.physical_type == "FIXED_LEN_BYTE_ARRAY" and column.length > MAX_FIXED_BYTES:
            raise BadInput(f"column '{column.path}' has values of {column.length} bytes each")
    size = values = pages = 0
    for place in range(groups * columns):
        chunk = metadata.row_group(place // columns).column(place % columns)
        start = _start(chunk)
        end = start + chunk.total_compressed_size
        if not 0 < start <= end <= len(data):
            raise BadInput("a column lies outside of the file")
        while start < end:
            start, page_bytes, page_values = _page(data, start)
            size += page_bytes
            values += page_values
            pages += 1
            if pages > MAX_PAGES:
                raise PayloadTooLarge(f"The Parquet file has over {MAX_PAGES} pages")
            if size > max_bytes:
                raise PayloadTooLarge(f"The unpacked Parquet file is over {max_bytes} bytes")
            if values > max_values:
                raise PayloadTooLarge(f"The Parquet file has over {max_values} values")


def _start(chunk: Any) -> int:
    first = chunk.dictionary_page_offset if chunk.has_dictionary_page else None
    return min(first, chunk.data_page_offset) if first else int(chunk.data_page_offset)


def _page(data: bytes, place: int) -> tuple[int, int, int]:
    """Where the next page begins, and bytes and values of this one."""
    try:
        fields, place = _struct(data, place, 0)
    except IndexError as err:
        raise BadInput("a page header is damaged") from err
    packed, unpacked = fields.get(_COMPRESSED), fields.get(_UNCOMPRESSED)
    if not isinstance(packed, int) or not isinstance(unpacked, int) or packed < 0 or unpacked < 0:
        raise BadInput("a page header is damaged")
    values = 0
    for kind, encoding in _ENCODING.items():
        inner = fields.get(kind)
        if isinstance(inner, dict):
            values += max(0, inner.get(1, 0))
            if inner.get(encoding) == DELTA_BYTE_ARRAY:
                raise BadInput("pages with the encoding DELTA_BYTE_ARRAY are not read")
    return place + packed, unpacked, values


def _struct(data: bytes, place: int, depth: int) -> tuple[Fields, int]:
    if depth > 8:
        raise BadInput("a page header is nested too deeply")
    found: Fields = {}
    number = 0
    while True:
        head = data[place]
        place += 1
        if head & 15 == _STOP:
            return found, place
        if head >> 4:
            number += head >> 4
        else:
            number, place = _integer(data, place)
        found[number], place = _value(data, place, head & 15, depth)


def _value(data: bytes, place: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, place
    if kind == _BYTE:
        return data[place], place + 1
    if kind in _INTEGERS:
        return _integer(data, place)
    if kind == _STRUCT:
        return _struct(data, place, depth + 1)
    return None, _skip(data, place, kind, depth)


def _skip(data: bytes, place: int, kind: int, depth: int) -> int:
    """Where a value ends that nobody needs."""
    if kind == _DOUBLE:
        return place + 8
    if kind == _BINARY:
        size, place = _varint(data, place)
        return place + size
    if kind in (_LIST, _SET):
        return _skip_list(data, place, depth)
    raise BadInput("a page header is damaged")


def _skip_list(data: bytes, place: int, depth: int) -> int:
    head = data[place]
    size, place = (head >> 4, place + 1) if head >> 4 != 15 else _varint(data, place + 1)
    for _ in range(min(size, len(data) - place + 1)):
        if head & 15 in (_TRUE, _FALSE):
            place += 1
        else:
            _, place = _value(data, place, head & 15, depth)
    return place


def _integer(data: bytes, place: int) -> tuple[int, int]:
    value, place = _varint(data, place)
    return (value >> 1) ^ -(value & 1), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            raise BadInput("a page header is damaged")
