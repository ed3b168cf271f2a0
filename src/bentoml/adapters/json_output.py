"""Values of the user function to JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from bentoml.types import Reply, ReplyHead, error_reply, replies_of

from .base_output import BaseOutputAdapter
from .json_codec import dumps, dumps_many

_JSON = ReplyHead(200, "application/json")


class JsonOutput(BaseOutputAdapter):
    """JSON answers; an item with rows gets a list of its rows' values.

    Args:
        ensure_ascii: escape everything outside ASCII.
        charset: encode the body in this charset and name it in the Content-Type.
    """

    def __init__(
        self, ensure_ascii: bool = False, charset: str | None = None, cors: Any = None, **base_config: Any
    ) -> None:
        super().__init__(cors=cors, **base_config)
        self.ensure_ascii = ensure_ascii
        self.charset = charset
        self._head = ReplyHead(200, f"application/json; charset={charset}") if charset else _JSON

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "ensure_ascii": self.ensure_ascii, "charset": self.charset}

    def encode(self, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        values = as_list(results)
        parts: Sequence[bytes | Reply] | None = None
        if not self.ensure_ascii:
            parts = dumps_many(values)
        whole = parts is not None
        if parts is None:
            parts = [self._one(value) for value in values]
        if rows.count(None) != len(rows):
            parts = join_rows(parts, rows)
        if self.charset:
            parts = [self._in_charset(part) if isinstance(part, bytes) else part for part in parts]
        elif whole:
            return replies_of(self._head, cast("list[bytes]", parts))
        return [part if isinstance(part, Reply) else Reply(self._head, part) for part in parts]

    def _one(self, value: Any) -> bytes | Reply:
        try:
            return dumps(value, ensure_ascii=self.ensure_ascii)
        except RecursionError:
            return error_reply(500, "The result cannot be written as JSON: it is nested too deeply")
        except (TypeError, ValueError) as err:
            return error_reply(500, f"The result cannot be written as JSON: {str(err)[:200]}")

    def _in_charset(self, body: bytes) -> bytes:
        return body.decode("utf-8").encode(self.charset or "utf-8", "xmlcharrefreplace")


def as_list(results: Any) -> list[Any]:
    """The results as a list; arrays and series become lists of Python values."""
    if type(results) is list:
        return results
    module = type(results).__module__.partition(".")[0]
    if module in ("numpy", "pandas") and hasattr(results, "tolist"):
        values: list[Any] = results.tolist()
        return values
    return list(results)


def join_rows(parts: Sequence[bytes | Reply], rows: Sequence[int | None]) -> list[bytes | Reply]:
    """A JSON array per item with rows; an item with an unwritable row gets that row's error."""
    out: list[bytes | Reply] = []
    start = 0
    for count in rows:
        if count is None:
            out.append(parts[start])
            start += 1
            continue
        mine = parts[start : start + count]
        start += count
        bad = next((part for part in mine if isinstance(part, Reply)), None)
        out.append(bad if bad is not None else b"[" + b",".join(mine) + b"]")  # type: ignore[arg-type]
    return out
