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
        charset: named in the Content-Type when set.
    """

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

    compression: str = "snappy"

    @property
    def forms(self) -> tuple[str, ...]:
        return (JSON, CSV, *BINARY_FORMS) if has_arrow() else (JSON, CSV)

    def encode_form(self, form: str, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        if form != JSON:
            head = ReplyHead(200, f"{CSV}; charset=utf-8" if form == CSV else form, (VARY,))
            return [self._in_form(form, head, piece) for piece in self._pieces(results, rows)]
        if isinstance(results, (list, tuple)):
            bodies = [self._text(piece) for piece in self._pieces(results, rows)]
        else:
            bodies = self._slices(_as_frame(results), [1 if count is None else count for count in rows])
        charset = self.charset or "utf-8"
        return [Reply(self._head, body.encode(charset, "xmlcharrefreplace")) for body in bodies]

    def _in_form(self, form: str, head: ReplyHead, frame: Any) -> Reply:
        try:
            return Reply(head, write_table(form, frame, self.compression))
        except MissingDependencyException as err:
            return error_reply(500, str(err))
        except (ValueError, TypeError, OverflowError) as err:
            reason = str(err).partition("\n")[0][:200]
            return error_reply(500, f"The result cannot be written as {form}: {reason}")

    def _pieces(self, results: Any, rows: Sequence[int | None]) -> Iterator[Any]:
        """The frame of each item; a list holds one already: an API without batch mode returned it."""
        if isinstance(results, (list, tuple)):
            yield from map(_as_frame, results)
            return
        frame = _as_frame(results)
        for first, last in _spans([1 if count is None else count for count in rows]):
            yield frame.iloc[first:last]

    def _slices(self, frame: Any, counts: Sequence[int]) -> list[str]:
        if self.output_orient == "records" and len(counts) > 1:
            lines = frame.to_json(orient="records", lines=True, force_ascii=self.ensure_ascii).split("\n")
            return [f"[{','.join(lines[a:b])}]" for a, b in _spans(counts)]
        import pandas  # noqa: PLC0415

        counted = isinstance(frame.index, pandas.RangeIndex)
        pieces = (frame.iloc[a:b] for a, b in _spans(counts))
        return [self._text(p.reset_index(drop=True) if counted else p) for p in pieces]

    def _text(self, frame: Any) -> str:
        return str(frame.to_json(orient=self.output_orient, force_ascii=self.ensure_ascii))


def _spans(counts: Sequence[int]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for count in counts:
        spans.append((start, start + count))
        start += count
    return spans


def is_tabular(value: Any) -> bool:
    """Whether `value` is a data frame or a series, without importing pandas to find out."""
    if type(value).__module__.partition(".")[0] != "pandas":
        return False
    return type(value).__name__ in ("DataFrame", "Series")


def _as_frame(value: Any) -> Any:
    import pandas  # noqa: PLC0415

    return value if isinstance(value, pandas.DataFrame) else pandas.DataFrame(value)
