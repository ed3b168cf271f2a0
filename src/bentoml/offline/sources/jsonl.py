"""Lines: JSON objects that are rows of a table, or whole lines for an API that reads them itself."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import json as arrow_json

from bentoml.exceptions import InvalidArgument
from bentoml.offline import convert
from bentoml.offline.locations import identity_of, open_for_reading, size_of
from bentoml.offline.values import BadRow, Chunk, Mode, Position

from .base import CHUNK_BYTES, Wanted, one_batch
from .blocks import BOM, LineBlocks

_SAMPLE = 10_000
_SHOWN = 10_000


def open_jsonl(location: str, wanted: Wanted) -> LinesSource | JsonTableSource:
    return JsonTableSource(location, wanted) if wanted.tables else LinesSource(location, wanted)


def open_text(location: str, wanted: Wanted) -> LinesSource:
    return LinesSource(location, wanted)


class LinesSource:
    """One item per line that is not blank, as bytes in the column `line`."""

    mode: Mode = "lines"

    def __init__(self, location: str, wanted: Wanted, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.location = location
        self._wanted = wanted
        self._chunk_bytes = chunk_bytes

    def identity(self) -> Any:
        return identity_of([self.location])

    def total_rows(self) -> int | None:
        return None

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        size = size_of(self.location)
        with open_for_reading(self.location) as stream:
            blocks = LineBlocks(stream, self._chunk_bytes)
            block = blocks.next()
            offset, row = 0, 0
            self.begin(block.removeprefix(BOM))
            if start and start["offset"]:
                blocks.skip_to(start["offset"])
                offset, row, block = blocks.offset, start["row"], blocks.next()
            while block:
                batch, offsets, bad = self.read(block if offset else block.removeprefix(BOM), row)
                share = blocks.offset / size if size else None
                yield Chunk({"offset": offset, "row": row}, row, batch, offsets, bad, share)
                row += batch.num_rows + len(bad)
                offset, block = blocks.offset, blocks.next()

    def begin(self, block: bytes) -> None:
        """Look at the first block, also when reading starts at a later one."""

    def read(self, block: bytes, row: int) -> tuple[Any, Sequence[int] | None, list[BadRow]]:
        lines = pa.array(_lines(block), pa.binary())
        return pa.RecordBatch.from_arrays([lines], names=["line"]), None, []


class JsonTableSource(LinesSource):
    """JSON objects as rows. The columns and their types are those of the first rows."""

    mode: Mode = "table"

    def begin(self, block: bytes) -> None:
        values: dict[str, list[Any]] = {}
        count = 0
        for line in _lines(block)[:_SAMPLE]:
            record = _record(line)
            if isinstance(record, dict):
                for name, value in record.items():
                    values.setdefault(name, [None] * count).append(value)
                count += 1
                for cells in values.values():
                    if len(cells) < count:
                        cells.append(None)
        if block and not values:
            raise InvalidArgument(f"'{self.location}' does not begin with JSON objects, one per line")
        names = self._wanted.select(list(values)) or list(values)
        kinds = {name: convert.usual_type(values[name]) for name in names}
        self._types = {n: pa.float64() if kind == pa.null() else kind for n, kind in kinds.items()}

    def read(self, block: bytes, row: int) -> tuple[Any, Sequence[int] | None, list[BadRow]]:
        promoted = {n: pa.float64() if pa.types.is_integer(t) else t for n, t in self._types.items()}
        for types in (self._types, promoted):
            try:
                return self._parse(block, types), None, []
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue
        return self._read_rows(block, row)

    def _parse(self, block: bytes, types: dict[str, Any]) -> Any:
        table = arrow_json.read_json(
            io.BytesIO(block),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=pa.schema(list(types.items())),
                newlines_in_values=False,
                unexpected_field_behavior="ignore",
            ),
        )
        return one_batch(table.select(list(types)))

    def _read_rows(self, block: bytes, row: int) -> tuple[Any, Sequence[int] | None, list[BadRow]]:
        bad: dict[int, BadRow] = {}
        records: list[dict[str, Any]] = []
        places: list[int] = []
        lines = _lines(block)
        for place, line in enumerate(lines):
            record = _record(line)
            if isinstance(record, dict):
                records.append(record)
                places.append(place)
            else:
                reason = record if isinstance(record, str) else "not a JSON object"
                bad[place] = BadRow(row + place + 1, reason, line.decode("utf-8", "replace")[:_SHOWN])
        arrays = []
        for name, kind in self._types.items():
            array, wrong = convert.column(name, [_fit(record.get(name), kind) for record in records], kind)
            arrays.append(array)
            for index, reason in wrong.items():
                place = places[index]
                bad.setdefault(place, BadRow(row + place + 1, reason, records[index]))
        batch = pa.RecordBatch.from_arrays(arrays, names=list(self._types))
        good = [index for index, place in enumerate(places) if place not in bad]
        batch = batch.take(pa.array(good, pa.int64()))
        found = [bad[place] for place in sorted(bad)]
        return batch, [places[index] for index in good] if found else None, found


def _fit(value: Any, kind: Any) -> Any:
    """A number in a column of texts is the text of that number."""
    is_number = isinstance(value, (int, float)) and kind == pa.string()
    return orjson.dumps(value).decode() if is_number else value


def _lines(block: bytes) -> list[bytes]:
    return [line for line in (raw.rstrip(b"\r") for raw in block.split(b"\n")) if line.strip()]


def _record(line: bytes) -> Any:
    """The object of a line; a text says why there is none."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as err:
        return f"not valid JSON: {str(err).partition(' (char')[0]}"
    return value if isinstance(value, dict) else None
