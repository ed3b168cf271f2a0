"""Tables in, one `pandas.DataFrame` to the user function."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from bentoml.exceptions import BadInput, PayloadTooLarge, UnsupportedMediaType
from bentoml.types import InferenceTask, Payload

from . import cli_input, table
from .arrow_body import arrow_form, read_arrow
from .arrow_columns import column_values, python_values
from .base_input import Group
from .content import TextSource, text_source
from .csv_table import read_csv
from .declared import dtype_name, fit, keeps_text
from .frames import TypedTable, build_frame, frame_of_batch
from .json_codec import has_long_integer, loads
from .negotiation import ARROW_STREAM, PARQUET
from .schemas import dataframe_schema
from .string_input import StringInput
from .table import Label, Table

ORIENTS = ("records", "columns", "values", "split", "index")


class DataframeInput(StringInput):
    """Rows of a table; one request may hold many, and the answer has one result per row.

    JSON in any of five orients, CSV when the Content-Type is `text/csv`, a Parquet file, or an Arrow
    stream or file. Columns are found by name, never by place, and every request is typed on its own:
    integers, floats, booleans and text keep their types, null becomes NaN. Requests share a call only
    when their column names, order and types agree.

    Args:
        typ: `"frame"`.
        orient: one of `records`, `columns`, `values`, `split`, `index`; None looks at the body.
        columns: names the function gets, in order. A missing one is an error, others are dropped,
            and rows without names take these.
        dtype: type by column name; a list gives types by position, one type is for all columns.
        input_dtypes: the old name of `dtype`.
    """

    SINGLE_MODE_SUPPORTED: ClassVar[bool] = False
    CLI_FORMATS: ClassVar[tuple[str, ...]] = ("json", "csv", "parquet", "arrow")

    def __init__(
        self,
        typ: str = "frame",
        orient: str | None = None,
        columns: Sequence[str] | None = None,
        dtype: Any = None,
        input_dtypes: Any = None,
        http_input_example: Any = None,
        **base_config: Any,
    ) -> None:
        super().__init__(http_input_example=http_input_example, **base_config)
        if typ != "frame":
            raise NotImplementedError(f"DataframeInput reads typ='frame' only, not typ={typ!r}")
        assert orient is None or orient in ORIENTS, (
            f"Invalid option 'orient'='{orient}': valid options are {', '.join(ORIENTS)}"
        )
        dtype = dtype if dtype is not None else input_dtypes
        self.typ = typ
        self.orient = orient
        self.columns = list(columns) if columns is not None else None
        self.dtype = dict(enumerate(dtype)) if isinstance(dtype, (list, tuple)) else dtype
        _check_declaration(self.columns, self.dtype)

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "orient": self.orient, "typ": self.typ, "dtype": self._dtype_names()}

    @property
    def pip_dependencies(self) -> list[str]:
        return ["pandas"]

    def default_schema(self) -> dict[str, Any]:
        return dataframe_schema(self.columns, self._dtype_names(), self.orient, (PARQUET, ARROW_STREAM))

    def decode(self, payload: Payload) -> Any:
        try:
            return self._parse(text_source(payload, self.limits))
        except (PayloadTooLarge, UnsupportedMediaType):
            raise
        except BadInput as err:
            raise BadInput(f"DataframeInput Wrong input format: {err}") from err

    def merge(self, values: list[Any]) -> list[Group]:
        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, value in enumerate(values):
            groups.setdefault((value.table.names, value.kinds), []).append(place)
        return [
            self._group([values[i].table for i in items], kinds, items)
            for (_, kinds), items in groups.items()
        ]

    def _group(self, tables: list[Table], kinds: Sequence[str], items: list[int]) -> Group:
        frame = build_frame(tables, kinds, self._declared(tables[0].names))
        return Group(items, (frame,), [item.rows for item in tables])

    def single(self, value: Any) -> tuple[Any, ...]:
        return self.merge([value])[0].args

    def from_table(self, batch: Any) -> tuple[Any, ...] | None:
        names = batch.schema.names if self.columns is None else self.columns
        return (frame_of_batch(batch, names, self._declared(names)),)

    # -- from bytes to a typed table --------------------------------------------------------------

    def _parse(self, source: TextSource) -> TypedTable:
        form = None if _is_csv(source) else arrow_form(source)
        if form is not None:
            return self._of_arrow(read_arrow(source.data, form, self.limits))
        if _is_csv(source):
            found = read_csv(source.text(), self.text_columns)
        else:
            body = source.utf8()
            found = self._read_json(loads(body, self.limits))
        found = table.check_size(found, self.limits)
        if self.columns is not None:
            found = table.align(found, self.columns)
        return self._typed(found, wide=has_long_integer(source.data))

    def _of_arrow(self, found: Table) -> TypedTable:
        if self.columns is not None:
            found = table.align(found, self.columns)
        declared = self._declared(found.names)
        columns, kinds = [], []
        for name, column in zip(found.names, found.columns, strict=True):
            if name in declared:
                values: Sequence[Any] = python_values(column)
                values, kind = fit(name, values, table.kind_of(values, wide=True), declared[name])
            else:
                values, kind = column_values(column)
            columns.append(values)
            kinds.append(kind)
        return TypedTable(found._replace(columns=columns), tuple(kinds))

    def _read_json(self, data: Any) -> Table:
        reader = _READERS[self.orient or _guess_orient(data)]
        if reader is table.from_rows:
            return table.from_rows(data, self.columns)
        return reader(data)

    def _typed(self, found: Table, *, wide: bool) -> TypedTable:
        kinds = [table.kind_of(values, wide=wide) for values in found.columns]
        declared = self._declared(found.names)
        if not declared:
            return TypedTable(found, tuple(kinds))
        columns = list(found.columns)
        for place, name in enumerate(found.names):
            if name in declared:
                columns[place], kinds[place] = fit(name, columns[place], kinds[place], declared[name])
        return TypedTable(found._replace(columns=columns), tuple(kinds))

    # -- declared types ---------------------------------------------------------------------------

    def _declared(self, names: Sequence[Label]) -> Mapping[Label, Any]:
        """Declared type by column name, for a request with columns `names`."""
        if self.dtype is None:
            return {}
        if not isinstance(self.dtype, dict):
            return dict.fromkeys(names, self.dtype)
        by_position = all(isinstance(label, int) for label in self.dtype)
        found: dict[Label, Any] = {}
        for place, name in enumerate(names):
            label = place if by_position else name
            if label in self.dtype:
                found[name] = self.dtype[label]
        return found

    @property
    def text_columns(self) -> frozenset[Any]:
        if not isinstance(self.dtype, dict):
            return frozenset()
        return frozenset(label for label, dtype in self.dtype.items() if keeps_text(dtype))

    def _dtype_names(self) -> Any:
        if isinstance(self.dtype, dict):
            return {name: dtype_name(dtype) for name, dtype in self.dtype.items()}
        return None if self.dtype is None else dtype_name(self.dtype)

    # -- other sources ----------------------------------------------------------------------------

    def add_cli_flags(self, parser: argparse.ArgumentParser) -> None:
        super().add_cli_flags(parser)
        parser.add_argument(
            "--format",
            choices=self.CLI_FORMATS,
            default=self.CLI_FORMATS[0],
            help="how the items are written",
        )

    def payloads_of_flags(self, flags: argparse.Namespace) -> Iterator[Payload]:
        payloads = cli_input.read_payloads(flags, {"Content-Type": _CLI_TYPES[flags.format]})
        return map(cli_input.with_detected_charset, payloads)

    def task_data(self, payload: Payload) -> Any:
        source = text_source(payload, self.limits)
        is_text = _is_csv(source) or arrow_form(source) is None
        return source.text() if is_text else source.data

    def parse_task(self, task: InferenceTask) -> Any:
        text = task.data
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        source = TextSource(data, None, task.http_headers.content_type, "")
        try:
            value = self._parse(source)
        except (PayloadTooLarge, UnsupportedMediaType):
            raise
        except BadInput as err:
            raise BadInput(f"DataframeInput Wrong input format: {err}") from err
        task.batch = value.table.rows
        return value

    def merge_all(self, values: list[Any], tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        """One frame for all tasks; a task whose columns differ from the first one's is discarded."""
        import pandas  # noqa: PLC0415

        frames = []
        for value, task in zip(values, tasks, strict=True):
            try:
                same = value._replace(table=table.align(value.table, values[0].table.names))
            except BadInput as err:
                task.discard(f"DataframeInput Wrong input format: {err}", http_status=400)
                continue
            kinds = value.kinds if same.table is value.table else self._typed(same.table, wide=True).kinds
            frames.append(build_frame([same.table], kinds, self._declared(same.table.names)))
        return (pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame(),)


_READERS: dict[str, Callable[..., Table]] = {
    "records": table.from_records,
    "columns": table.from_columns,
    "values": table.from_rows,
    "split": table.from_split,
    "index": table.from_index,
}


_CLI_TYPES = {
    "json": "application/json", "csv": "text/csv", "parquet": PARQUET, "arrow": ARROW_STREAM
}  # fmt: skip


def _guess_orient(data: Any) -> str:
    if isinstance(data, list):
        return "records" if data and isinstance(data[0], dict) else "values"
    if isinstance(data, dict):
        return "split" if data.keys() == {"columns", "index", "data"} else "columns"
    raise BadInput("expected a JSON list or object")


def _is_csv(source: TextSource) -> bool:
    return source.content_type == "text/csv" or (
        source.content_type in ("application/vnd.ms-excel", "application/octet-stream")
        and source.name.lower().endswith(".csv")
    )


def _check_declaration(columns: Sequence[str] | None, dtype: Any) -> None:
    if columns is None or not isinstance(dtype, dict):
        return
    by_position = set(dtype) == set(range(len(columns)))
    assert by_position or set(dtype) == set(columns), (
        f"dtype must match columns: dtype has {list(dtype)}, columns are {list(columns)}"
    )
