"""Data frames and series to JSON, or to CSV, Parquet or Arrow where a client asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bentoml.exceptions import MissingDependencyException
from bentoml.types import Reply, ReplyHead, error_reply

from .forms_output import VARY, FormsOutput
from .table_writer import BINARY_FORMS, CSV, has_arrow, write_table

JSON = "application/json"
ORIENTS = ("records", "columns", "values", "split", "index", "table")


class DataframeOutput(FormsOutput):
    """The rows of each item as JSON, written by pandas; by `Accept` also as CSV, Parquet or Arrow.

    The last two are offered where pyarrow is installed. Only JSON has an index.

    Args:
        output_orient: `records`, `columns`, `values`, `split`, `index` or `table`, as in
            `pandas.DataFrame.to_json`.
        ensure_ascii: escape everything outside ASCII.
        charset: of the JSON form, named in its Content-Type when set.
    """

    compression: str = "snappy"

    def __init__(
        self,
        output_orient: str = "records",
        ensure_ascii: bool = False,
        charset: str | None = None,
        cors: Any = None,
        **base_config: Any,
    ) -> None:
        super().__init__(cors=cors, **base_config)
        assert output_orient in ORIENTS, (
            f"Invalid option 'output_orient'='{output_orient}': valid options are {list(ORIENTS)}"
        )
        self.output_orient = output_orient
        self.ensure_ascii = ensure_ascii
        self.charset = charset
        self._head = ReplyHead(200, f"{JSON}; charset={charset}" if charset else JSON, (VARY,))

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "output_orient": self.output_orient}

    @property
    def pip_dependencies(self) -> list[str]:
        return ["pandas"]

    @property
    def forms(self) -> tuple[str, ...]:
        return (JSON, CSV, *BINARY_FORMS) if has_arrow() else (JSON, CSV)

    def encode_form(self, form: str, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        pieces = _pieces(results, rows)
        if form != JSON:
            head = ReplyHead(200, f"{CSV}; charset=utf-8" if form == CSV else form, (VARY,))
            return [self._one(form, head, piece) for piece in pieces]
        replies = self._records(results, rows) if self._can_write_at_once(results, rows) else None
        return replies or [self._one(JSON, self._head, piece) for piece in pieces]

    def _can_write_at_once(self, results: Any, rows: Sequence[int | None]) -> bool:
        return self.output_orient == "records" and len(rows) > 1 and not isinstance(results, (list, tuple))

    def _records(self, results: Any, rows: Sequence[int | None]) -> list[Reply] | None:
        """All items with one call of pandas; None if it fails, for then they are written one by one."""
        try:
            text = _as_frame(results).to_json(orient="records", lines=True, force_ascii=self.ensure_ascii)
        except Exception:  # whatever the `__str__` and the like of a value raise
            return None
        lines = text.split("\n")
        return [Reply(self._head, self._in_charset(f"[{','.join(lines[a:b])}]")) for a, b in _spans(rows)]

    def _one(self, form: str, head: ReplyHead, frame: Any) -> Reply:
        try:
            if form == JSON:
                text = frame.to_json(orient=self.output_orient, force_ascii=self.ensure_ascii)
                return Reply(head, self._in_charset(text))
            return Reply(head, write_table(form, frame, self.compression))
        except MissingDependencyException as err:
            return error_reply(500, str(err))
        except Exception as err:
            reason = str(err).partition("\n")[0][:200]
            return error_reply(500, f"The result cannot be written as {form}: {reason}")

    def _in_charset(self, text: str) -> bytes:
        return text.encode(self.charset or "utf-8", "xmlcharrefreplace")


def _pieces(results: Any, rows: Sequence[int | None]) -> Iterator[Any]:
    """The frame of each item: a slice of the whole, or what a list has for it."""
    import pandas  # noqa: PLC0415

    if isinstance(results, (list, tuple)) and results and all(map(is_tabular, results)):
        frames = list(map(_as_frame, results))
        for first, last in _spans(rows):
            yield frames[first] if last - first == 1 else pandas.concat(frames[first:last])
        return
    frame = _as_frame(list(results) if isinstance(results, tuple) else results)
    is_counted = isinstance(frame.index, pandas.RangeIndex)
    for first, last in _spans(rows):
        piece = frame.iloc[first:last]
        yield piece.reset_index(drop=True) if is_counted else piece


def _spans(rows: Sequence[int | None]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for count in rows:
        end = start + (1 if count is None else count)
        spans.append((start, end))
        start = end
    return spans


def is_tabular(value: Any) -> bool:
    """Whether `value` is a data frame or a series, without importing pandas to find out."""
    if type(value).__module__.partition(".")[0] != "pandas":
        return False
    return type(value).__name__ in ("DataFrame", "Series")


def _as_frame(value: Any) -> Any:
    import pandas  # noqa: PLC0415

    return value if isinstance(value, pandas.DataFrame) else pandas.DataFrame(value)
