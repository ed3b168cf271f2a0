"""prediction.log: one JSON object per answered item, in the format of the 0.13 line.

A worker writes a whole batch at once: every text of the batch is escaped by a single encoder call
on their concatenation, heads are rendered once and shared, and the batch is one `os.write`. Item i
of the payloads is always paired with reply i, whatever happened to its neighbours.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bentoml.types import Payload, Reply, ReplyHead, RequestHead

from .records import RecordSink

_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})
_TEXTUAL = ("text/", "application/json", "application/xml", "application/x-www-form-urlencoded")
_SHAPES_KEPT = 512

# Joins texts for one encoder call. It is escaped as six characters; if the result holds that
# escape exactly once per joint, no text contained it and the result can be cut there.
_JOINT = "\x1e"
_JOINT_ESCAPED = "\\u001e"


class _Shape(NamedTuple):
    """How one side of a record looks around its text: `before + text + after`.

    `textual` says where the text comes from: the body, or (for bytes) a file name or a size.
    """

    textual: bool
    before: str
    after: str


class PredictionLog:
    """Bulk writer of prediction records; one object per process, used by one thread at a time.

    Args:
        target: the file; or, in the advanced logging mode, the logger `bentoml.prediction`.
        with_data: False leaves the bodies of requests and answers out.
    """

    def __init__(
        self,
        target: Path | logging.Logger,
        service_name: str,
        service_version: str,
        *,
        with_data: bool = True,
    ) -> None:
        self._sink = RecordSink(target)
        self._service = (
            f'{{"service_name": {_json(service_name)}, "service_version": {_json(service_version)}'
        )
        self._with_data = with_data
        self._task_shapes: dict[RequestHead, tuple[_Shape, str]] = {}
        self._result_shapes: dict[tuple[ReplyHead, bool], _Shape] = {}

    def write(self, api_name: str, payloads: Sequence[Payload], replies: Sequence[Reply]) -> None:
        """Append one record per pair. Never raises for what the items hold, nor for a full disk."""
        if payloads:
            self._sink.write(self.render(api_name, payloads, replies).encode("utf-8", "replace"))

    def close(self) -> None:
        self._sink.close()

    def render(self, api_name: str, payloads: Sequence[Payload], replies: Sequence[Reply]) -> str:
        """The lines of a batch; `payloads` and `replies` have one length."""
        task_parts, task_texts = self._tasks(payloads)
        result_shapes, result_texts = self._results(replies)
        count = len(payloads)
        texts = escape_all([p.request_id for p in payloads] + task_texts + result_texts)
        start = f'{self._service}, "api": {_json(api_name)}, "request_id": "'
        rows = zip(
            texts[:count],
            task_parts,
            texts[count : 2 * count],
            result_shapes,
            texts[2 * count :],
            strict=True,
        )
        return "".join(
            [
                f'{start}{rid}", "task": {{{before}{data}{after}"task_id": "{rid}"{headers}}}, '
                f'"result": {{{opening}{answer}{closing}}}}}\n'
                for rid, ((_, before, after), headers), data, (_, opening, closing), answer in rows
            ]
        )

    def _tasks(self, payloads: Sequence[Payload]) -> tuple[list[tuple[_Shape, str]], list[str]]:
        known = self._task_shapes
        parts, texts = [], []
        for payload in payloads:
            part = known.get(payload.head) or self._learn_head(payload.head)
            shape = part[0]
            if shape is _UNTYPED:
                shape = _TEXT if is_text(payload.body) else _FILE
                part = (shape, part[1])
            texts.append(str(payload.body, "utf-8", "replace") if shape.textual else payload.name)
            parts.append(part)
        return parts, texts if self._with_data else [""] * len(texts)

    def _learn_head(self, head: RequestHead) -> tuple[_Shape, str]:
        if len(self._task_shapes) >= _SHAPES_KEPT:
            self._task_shapes.clear()
        if not self._with_data:
            shape = _NOTHING
        elif not head.content_type and head.is_plain:
            shape = _UNTYPED
        else:
            shape = _TEXT if head.is_plain and is_textual(head.content_type) else _FILE
        part = self._task_shapes[head] = (shape, _headers(head.headers.pairs))
        return part

    def _results(self, replies: Sequence[Reply]) -> tuple[list[_Shape], list[str]]:
        shapes, texts = [], []
        head: ReplyHead | None = None
        error, shape = False, _NOTHING
        for reply in replies:
            if reply.head is not head or reply.error is not error:
                head, error = reply.head, reply.error
                shape = self._result_shape(head, error)
            texts.append(str(reply.body, "utf-8", "replace") if shape.textual else str(len(reply.body)))
            shapes.append(shape)
        return shapes, texts

    def _result_shape(self, head: ReplyHead, error: bool) -> _Shape:
        shape = self._result_shapes.get((head, error))
        if shape is None:
            if len(self._result_shapes) >= _SHAPES_KEPT:
                self._result_shapes.clear()
            shape = self._result_shapes[head, error] = self._learn_result(head, error)
        return shape

    def _learn_result(self, head: ReplyHead, error: bool) -> _Shape:
        pairs = (("Content-Type", head.content_type), *head.headers)
        end = f'"http_status": {int(head.status)}{_headers(pairs)}'
        if error:  # a message of ours or of the service's author, so it stays without data too
            return _Shape(True, '"err_msg": "', f'", {end}')
        if self._with_data and is_textual(head.content_type.partition(";")[0].strip().lower()):
            return _Shape(True, '"data": "', f'", {end}')
        return _Shape(False, '"data_bytes": ', f", {end}")


_TEXT = _Shape(True, '"data": "', '", ')
_FILE = _Shape(False, '"data": {"name": "', '", "uri": null}, ')
_UNTYPED = _Shape(True, "", "")  # decided per body
_NOTHING = _Shape(False, "", "")


def escape_all(texts: list[str]) -> list[str]:
    """Each text as the inside of a JSON string: no quotes around it, no control character in it."""
    import orjson  # noqa: PLC0415 - this module is imported by processes that never log

    try:
        joined = orjson.dumps(_JOINT.join(texts)).decode()
    except TypeError:  # a lone surrogate
        return [_json(t)[1:-1] for t in texts]
    if joined.count(_JOINT_ESCAPED) == len(texts) - 1:
        return joined[1:-1].split(_JOINT_ESCAPED)
    return [orjson.dumps(t).decode()[1:-1] for t in texts]


def is_textual(content_type: str) -> bool:
    """Whether bodies of this media type are logged as text."""
    return content_type.startswith(_TEXTUAL) or content_type.endswith(("+json", "+xml"))


def is_text(body: bytes) -> bool:
    """Whether an untyped body is UTF-8 text."""
    try:
        return "\0" not in str(body, "utf-8")
    except UnicodeDecodeError:
        return False


def _headers(pairs: Sequence[tuple[str, str]]) -> str:
    """`, "http_headers": [[name, value], …]` with credentials blotted out; `""` when there are none."""
    kept = [[k, "***" if k.lower() in _SECRET else v] for k, v in pairs if k]
    return f', "http_headers": {_json(kept)}' if kept else ""


def _json(value: object) -> str:
    return json.dumps(value)
