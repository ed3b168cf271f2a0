"""Parquet and Arrow bodies to a table of Arrow columns, bounded before anything is unpacked.

Both formats pack values so well that a small body may stand for any amount of memory. What their own
headers claim – sizes, numbers of values – is added up first, and the readers allocate no more than that.
"""

from __future__ import annotations

import importlib
from typing import Any

from bentoml.exceptions import BadInput, MissingDependencyException, PayloadTooLarge

from .content import TextSource
from .ipc_buffers import check_stream
from .limits import DecodeLimits
from .negotiation import ALIASES, ARROW_FILE, ARROW_STREAM, PARQUET
from .parquet_pages import check_pages
from .table import Table

ARROW_FORMS = (PARQUET, ARROW_STREAM, ARROW_FILE)
FILE_MAGIC = b"ARROW1\0\0"
_MAGIC = ((b"PAR1", PARQUET), (FILE_MAGIC, ARROW_FILE), (b"\xff\xff\xff\xff", ARROW_STREAM))
_CELL_BYTES = 2  # of JSON: no other body gets more cells than one of JSON can have
_NESTED = ("list", "large_list", "fixed_size_list", "struct", "map")
_REFUSED = ("run_end_encoded", "view", "union", "extension")


def arrow_form(source: TextSource) -> str | None:
    """Which of `ARROW_FORMS` a body has, by its first bytes or its type; None for text."""
    for magic, form in _MAGIC:
        if source.data.startswith(magic):
            return form
    kind = ALIASES.get(source.content_type, source.content_type)
    return kind if kind in ARROW_FORMS else None


def read_arrow(data: bytes, form: str, limits: DecodeLimits) -> Table:
    """The columns, each a `pyarrow.ChunkedArray`.

    Raises:
        BadInput: not that format, damaged, or of a type that is not read.
        PayloadTooLarge: over `limits`, once unpacked.
        MissingDependencyException: pyarrow is not installed.
    """
    try:
        arrow = importlib.import_module("pyarrow")
        read = _parquet if form == PARQUET else _stream
        found = read(arrow, data, limits)
        found.validate(full=True)
        _check_content(arrow, found, limits)
    except ImportError as err:
        raise MissingDependencyException(
            "Parquet and Arrow need the package 'pyarrow'. Install it with: pip install 'bentoml[arrow]'"
        ) from err
    except BadInput:
        raise
    except (ValueError, OSError, KeyError, TypeError, IndexError, NotImplementedError, MemoryError) as err:
        reason = str(err).partition("\n")[0][:160]
        raise BadInput(
            f"the {'Parquet' if form == PARQUET else 'Arrow'} data cannot be read: {reason}"
        ) from err
    names = _names(found.schema)
    if found.num_rows < 1 or not names:
        raise BadInput("expected a table with one or more rows and columns")
    return Table(names, [found.column(found.schema.get_field_index(n)) for n in names], found.num_rows)


def _names(schema: Any) -> tuple[str, ...]:
    """Column names without the index that pandas writes beside them."""
    if len(set(schema.names)) != len(schema.names):
        double = next(name for name in schema.names if schema.names.count(name) > 1)
        raise BadInput(f"duplicate column '{double}'")
    index = (schema.pandas_metadata or {}).get("index_columns", ())
    return tuple(name for name in schema.names if name not in [i for i in index if isinstance(i, str)])


def _parquet(arrow: Any, data: bytes, limits: DecodeLimits) -> Any:
    parquet = importlib.import_module("pyarrow.parquet")
    metadata = parquet.read_metadata(arrow.BufferReader(data))
    _check_shape(metadata.num_rows, len(metadata.schema), limits)
    check_pages(data, metadata, limits.max_body_bytes, limits.max_body_bytes // _CELL_BYTES)
    texts = [
        column.path
        for column in map(metadata.schema.column, range(len(metadata.schema)))
        if column.physical_type == "BYTE_ARRAY"
    ]
    file = parquet.ParquetFile(arrow.BufferReader(data), read_dictionary=texts)
    return file.read(use_threads=False)


def _stream(arrow: Any, data: bytes, limits: DecodeLimits) -> Any:
    """A file holds a stream between its magic and its footer, and is read as that."""
    start = len(FILE_MAGIC) if data.startswith(FILE_MAGIC) else 0
    buffer = arrow.py_buffer(memoryview(data)[start:])
    check_stream(arrow, buffer, limits.max_body_bytes)
    with arrow.ipc.open_stream(buffer) as reader:
        _check_shape(0, len(reader.schema), limits)
        batches, rows = [], 0
        for batch in reader:
            rows += batch.num_rows
            _check_shape(rows, len(reader.schema), limits)
            batches.append(batch)
        return arrow.Table.from_batches(batches, reader.schema)


def _check_shape(rows: int, columns: int, limits: DecodeLimits) -> None:
    cells = limits.max_body_bytes // _CELL_BYTES
    for count, most, what in (
        (rows, limits.table_rows, "rows"),
        (columns, limits.table_columns, "columns"),
        (rows * columns, cells, "cells"),
    ):
        if count > most:
            raise PayloadTooLarge(f"{count} {what} in one request; at most {most} are taken")


def _check_content(arrow: Any, table: Any, limits: DecodeLimits) -> None:
    """Types that repeat values without holding them are refused or counted as they unfold."""
    for field in table.schema:
        if any(word in str(field.type) for word in _REFUSED):
            raise BadInput(f"column '{field.name}' has type {str(field.type)[:60]}, which is not read")
    values = sum(_values(chunk) for column in table.columns for chunk in column.chunks)
    if values > limits.max_body_bytes // _CELL_BYTES:
        raise PayloadTooLarge(
            f"{values} values in one request; at most {limits.max_body_bytes // 2} are taken"
        )
    size = sum(_text_bytes(arrow, chunk) for column in table.columns for chunk in column.chunks)
    if size > limits.max_body_bytes:
        raise PayloadTooLarge(
            f"The texts of the table have {size} bytes; at most {limits.max_body_bytes} are taken"
        )


def _values(array: Any) -> int:
    """Values in an array, nested ones included."""
    name = str(array.type).partition("<")[0].partition("[")[0]
    if name == "struct":
        return len(array) + sum(_values(array.field(i)) for i in range(array.type.num_fields))
    if name in _NESTED:
        return len(array) + _values(array.values)
    return len(array)


def _text_bytes(arrow: Any, array: Any) -> int:
    """Bytes of all texts of a dictionary array; other arrays hold theirs, within the size of the body."""
    kind = array.type
    if arrow.types.is_nested(kind):
        inner = (
            [array.field(i) for i in range(kind.num_fields)]
            if arrow.types.is_struct(kind)
            else [array.values]
        )
        return sum(_text_bytes(arrow, child) for child in inner)
    if not arrow.types.is_dictionary(kind):
        return 0
    words = array.dictionary
    if arrow.types.is_nested(words.type) or arrow.types.is_dictionary(words.type):
        raise BadInput(f"a column has type {str(kind)[:60]}, which is not read")
    compute = importlib.import_module("pyarrow.compute")
    if arrow.types.is_fixed_size_binary(words.type):
        return int(words.type.byte_width * len(array))
    if not (arrow.types.is_string(words.type) or arrow.types.is_binary(words.type)):
        is_large = arrow.types.is_large_string(words.type) or arrow.types.is_large_binary(words.type)
        if not is_large:
            return 0
    lengths = compute.cast(compute.binary_length(words), arrow.int64())
    return int(compute.sum(lengths.take(array.indices)).as_py() or 0)
