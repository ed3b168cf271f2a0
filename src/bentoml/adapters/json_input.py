"""JSON in, parsed values to the user function."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from bentoml.types import InferenceTask, Payload

from .content import text_source
from .json_codec import loads, loads_many
from .json_model import JsonModel
from .schemas import any_json
from .string_input import StringInput

_BODY = itemgetter(0)
_HEAD = itemgetter(1)


class JsonInput(StringInput):
    """One JSON text per request: a list of values in batch mode, one value otherwise.

    Any JSON value is allowed, `null` included. Integers are exact at any size. `NaN`, an empty body
    and nesting beyond the limit are answered with 400; of duplicate keys the last one wins.

    Args:
        schema: a pydantic model, a dataclass, a `TypedDict` or another annotated type. Requests that
            do not fit are answered with 400 naming the field, the function gets checked values (model
            instances, where it is a model), and the OpenAPI document shows the type.
    """

    _model: JsonModel | None = None

    def __init__(self, http_input_example: Any = None, schema: Any = None, **base_config: Any) -> None:
        super().__init__(http_input_example=http_input_example, **base_config)
        if schema is not None:
            self._model = JsonModel(schema)

    @property
    def config(self) -> dict[str, Any]:
        return super().config if self._model is None else {**super().config, "schema": self._model.name}

    def decode(self, payload: Payload) -> Any:
        return self._parse(text_source(payload, self.limits).utf8())

    def _parse(self, body: bytes) -> Any:
        value = loads(body, self.limits)
        return value if self._model is None else self._model.check_text(body)

    def decode_many(self, payloads: Sequence[Payload]) -> list[Any]:
        quick = type(self).decode is JsonInput.decode and self._model is None
        if quick and all(head.is_plain for head in set(map(_HEAD, payloads))):
            values = loads_many(list(map(_BODY, payloads)), self.limits)
            if values is not None:
                return values
        return super().decode_many(payloads)

    def parse_task(self, task: InferenceTask) -> Any:
        if isinstance(task.data, str):
            return self._parse(task.data.encode("utf-8", "surrogatepass"))
        if isinstance(task.data, (bytes, bytearray)):
            return self._parse(bytes(task.data))
        return task.data if self._model is None else self._model.check_value(task.data)

    def default_schema(self) -> dict[str, Any]:
        if self._model is not None:
            return {"application/json": {"schema": self._model.openapi()}}
        return {"application/json": {"schema": any_json(self._example)}}
