"""Data frames and series to JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bentoml.types import Reply, ReplyHead

from .base_output import BaseOutputAdapter

_JSON = ReplyHead(200, "application/json")
ORIENTS = ("records", "columns", "values", "split", "index", "table")


class DataframeOutput(BaseOutputAdapter):
    """The rows of each item as JSON, written by pandas.

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
        self._head = ReplyHead(200, f"application/json; charset={charset}") if charset else _JSON

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "output_orient": self.output_orient}

    @property
    def pip_dependencies(self) -> list[str]:
        return ["pandas"]

    def encode(self, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        if isinstance(results, (list, tuple)):  # one frame per item: an API without batch mode
            bodies = [self._text(_as_frame(value)) for value in results]
        else:
            bodies = self._slices(_as_frame(results), [1 if count is None else count for count in rows])
        charset = self.charset or "utf-8"
        return [Reply(self._head, body.encode(charset, "xmlcharrefreplace")) for body in bodies]

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
