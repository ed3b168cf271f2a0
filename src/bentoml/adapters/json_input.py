"""JSON in, parsed values to the user function."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from bentoml.types import InferenceTask, Payload

from .content import text_source
from .json_codec import loads, loads_many
from .string_input import StringInput

_BODY = itemgetter(0)
_HEAD = itemgetter(1)


class JsonInput(StringInput):
    """One JSON text per request: a list of values in batch mode, one value otherwise.

    Any JSON value is allowed, `null` included. Integers are exact at any size. `NaN`, an empty body
    and nesting beyond the limit are answered with 400; of duplicate keys the last one wins.
    """

    def decode(self, payload: Payload) -> Any:
        return loads(text_source(payload, self.limits).utf8(), self.limits)

    def decode_many(self, payloads: Sequence[Payload]) -> list[Any]:
        if type(self).decode is JsonInput.decode and all(head.is_plain for head in set(map(_HEAD, payloads))):
            values = loads_many(list(map(_BODY, payloads)), self.limits)
            if values is not None:
                return values
        return super().decode_many(payloads)

    def parse_task(self, task: InferenceTask) -> Any:
        if isinstance(task.data, str):
            return loads(task.data.encode("utf-8", "surrogatepass"), self.limits)
        if isinstance(task.data, (bytes, bytearray)):
            return loads(bytes(task.data), self.limits)
        return task.data

    def default_schema(self) -> dict[str, Any]:
        return {"application/json": {"schema": {"type": "object", "description": "Any JSON value."}}}
