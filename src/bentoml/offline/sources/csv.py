"""CSV and TSV: Arrow reads whole blocks; a block it refuses is read again row by row.

The types of the columns are those of the first block. A later integer column with fractions is read
as numbers, and a field that does not fit its column makes its row a bad one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from bentoml.adapters.csv_table import MISSING
from bentoml.exceptions import InvalidArgument
from bentoml.offline import convert
from bentoml.offline.locations import identity_of, open_for_reading, size_of
from bentoml.offline.values import BadRow, Chunk, Mode, Position

from .base import CHUNK_BYTES, Wanted, one_batch
from .blocks import BOM, LineBlocks

_FIELD_BYTES = 1 << 27


def open_csv(location: str, wanted: Wanted) -> CsvSource:
    return CsvSource(location, wanted, ",")


def open_tsv(location: str, wanted: Wanted) -> CsvSource:
    return CsvSource(location, wanted, "\t")


class CsvSource:
    """One file with a header line."""

    mode: Mode = "table"

    def __init__(self, location: str, wanted: Wanted, delimiter: str, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.location = location
        self._wanted = wanted
        self._delimiter = delimiter
        self._chunk_bytes = chunk_bytes
        self._names: list[str] = []
        self._types: dict[str, Any] = {}

    def identity(self) -> Any:
        return identity_of([self.location])

    def total_rows(self) -> int | None:
        return None

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        size = size_of(self.location)
        with open_for_reading(self.location) as stream:
            blocks = LineBlocks(stream, self._chunk_bytes, quoted=True)
            block, offset = self._read_header(blocks)
            row = 0
            if start and start["offset"] > offset:
                blocks.skip_to(start["offset"])
                offset, row, block = blocks.offset, start["row"], blocks.next()
            while block:
                batch, offsets, bad = self._read(block, row)
                share = blocks.offset / size if size else None
                yield Chunk({"offset": offset, "row": row}, row, batch, offsets, bad, share)
                row += batch.num_rows + len(bad)
                offset, block = blocks.offset, blocks.next()

    def _read_header(self, blocks: LineBlocks) -> tuple[bytes, int]:
        """Learn names and types from the first block; what is left of it, and where that begins."""
        first = blocks.next()
        header_end = _record_end(first)
        line = first[:header_end].removeprefix(BOM)
        names = next(self._rows(line), [])
        if not any(names):
            raise InvalidArgument(f"'{self.location}' has no header line with the names of its columns")
        if len(set(names)) != len(names):
            double = next(name for name in names if names.count(name) > 1)
            raise InvalidArgument(f"'{self.location}' has two columns named '{double}'; rename one")
        self._names = names
        rest = first[header_end:]
        if rest:
            self._types = self._infer(rest)
        return rest, header_end

    def _infer(self, block: bytes) -> dict[str, Any]:
        try:
            table = self._parse(block, self._text_types(), skip_odd=True)
        except pa.ArrowInvalid as err:
            raise InvalidArgument(f"'{self.location}' cannot be read as CSV: {err}") from err
        return {field.name: _plain_type(field.type) for field in table.schema if field.type != pa.null()}

    def _text_types(self) -> dict[str, Any]:
        keep = self._wanted.text_columns
        return {n: pa.string() for place, n in enumerate(self._names) if n in keep or place in keep}

    def _read(self, block: bytes, row: int) -> tuple[Any, Sequence[int] | None, list[BadRow]]:
        promoted = {n: pa.float64() if pa.types.is_integer(t) else t for n, t in self._types.items()}
        for types in (self._types, promoted):
            try:
                return one_batch(self._parse(block, types)), None, []
            except pa.ArrowInvalid:
                continue
        return self._read_rows(block, row)

    def _parse(self, block: bytes, types: dict[str, Any], *, skip_odd: bool = False) -> Any:
        odd = (lambda _: "skip") if skip_odd else None
        return arrow_csv.read_csv(
            io.BytesIO(block),
            read_options=arrow_csv.ReadOptions(
                column_names=self._names, use_threads=False, block_size=len(block) + 1
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=odd
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types,
                null_values=sorted(MISSING),
                strings_can_be_null=True,
                timestamp_parsers=[],
                include_columns=self._wanted.select(self._names),
            ),
        )

    def _read_rows(self, block: bytes, row: int) -> tuple[Any, Sequence[int] | None, list[BadRow]]:
        bad: dict[int, BadRow] = {}
        rows: list[list[str]] = []
        width = len(self._names)
        places: list[int] = []
        for place, fields in enumerate(self._rows(block)):
            reason = ""
            if len(fields) != width:
                reason = f"{len(fields)} fields; the header has {width}"
            elif any("\udc80" <= letter <= "\udcff" for field in fields for letter in field):
                reason = "the row is not UTF-8"
            if reason:
                bad[place] = BadRow(row + place + 1, reason, [_readable(field) for field in fields])
                continue
            places.append(place)
            rows.append(fields)
        return self._typed(rows, places, bad, row)

    def _typed(
        self, rows: list[list[str]], places: list[int], bad: dict[int, BadRow], row: int
    ) -> tuple[Any, Sequence[int] | None, list[BadRow]]:
        arrays = []
        names = self._wanted.select(self._names) or self._names
        for name in names:
            place_of = self._names.index(name)
            values = [None if fields[place_of] in MISSING else fields[place_of] for fields in rows]
            kind = self._types.get(name) or convert.type_of_texts(values)
            array, wrong = convert.column(name, values, kind)
            arrays.append(array)
            for index, reason in wrong.items():
                fields = dict(zip(self._names, rows[index], strict=True))
                bad.setdefault(places[index], BadRow(row + places[index] + 1, reason, fields))
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        good = [index for index, place in enumerate(places) if place not in bad]
        if len(good) < len(places):
            batch = batch.take(pa.array(good, pa.int64()))
        offsets = [places[index] for index in good]
        found = [bad[place] for place in sorted(bad)]
        return batch, offsets if found else None, found

    def _rows(self, block: bytes) -> Iterator[list[str]]:
        csv.field_size_limit(_FIELD_BYTES)
        text = io.StringIO(block.decode("utf-8", "surrogateescape"), newline="")
        return (fields for fields in csv.reader(text, delimiter=self._delimiter) if fields)


def _record_end(block: bytes) -> int:
    """Where the first record ends."""
    end = block.find(b"\n") + 1
    while end and block.count(b'"', 0, end) % 2:
        end = block.find(b"\n", end) + 1
    return end or len(block)


def _plain_type(kind: Any) -> Any:
    """Only numbers and truth values are understood; a date stays the text it was."""
    is_plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return kind if is_plain else pa.string()


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
