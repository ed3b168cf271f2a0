"""JSON checked against a pydantic model or an annotated type; an error names the field.

Values are checked from the JSON text, so that strict models take dates, tuples and the like as JSON
writes them. Our own parser has read the text before: its limits on depth and numbers hold here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from bentoml.exceptions import BadInput, BentoMLConfigException, InvalidArgument

from .openapi_schema import to_openapi

MAX_ERRORS = 5
_SHOWN = 60
_WITHOUT_VALUE = frozenset({"missing", "json_invalid"})


class JsonModel:
    """The type of a request.

    Args:
        schema: a pydantic model, a dataclass, a `TypedDict`, or any annotated type pydantic knows.
    """

    def __init__(self, schema: Any) -> None:
        if isinstance(schema, (str, bytes, Mapping)):
            raise InvalidArgument(
                f"JsonInput(schema=…) takes a pydantic model or an annotated type, not a "
                f"{type(schema).__name__}; a JSON Schema that is only shown goes into request_schema="
            )
        self.schema = schema

    @property
    def name(self) -> str:
        """What to call it in a bundle's description."""
        return getattr(self.schema, "__name__", None) or str(self.schema)

    @cached_property
    def _checker(self) -> Any:
        from pydantic import PydanticUserError, TypeAdapter  # noqa: PLC0415

        try:
            return TypeAdapter(self.schema)
        except PydanticUserError as err:
            reason = str(err).partition("\n")[0]
            raise BentoMLConfigException(f"JsonInput cannot use schema={self.name}: {reason}") from err

    def check_text(self, body: bytes) -> Any:
        """The value of a JSON text. Raises `BadInput`."""
        return self._check(self._checker.validate_json, body)

    def check_value(self, value: Any) -> Any:
        """The value of what Python already has. Raises `BadInput`."""
        return self._check(self._checker.validate_python, value)

    def _check(self, check: Any, data: Any) -> Any:
        from pydantic import ValidationError  # noqa: PLC0415

        try:
            return check(data)
        except ValidationError as err:
            raise BadInput(_message(err.errors(include_url=False, include_context=False))) from err

    def openapi(self) -> dict[str, Any]:
        """The schema as OpenAPI 3.0 writes it, complete in itself."""
        return to_openapi(self._checker.json_schema(mode="validation"))


def _message(errors: Sequence[Mapping[str, Any]]) -> str:
    """One line per error, the first few of them: where, what, and the value."""
    lines = [_line(error) for error in errors[:MAX_ERRORS]]
    if len(errors) > MAX_ERRORS:
        lines.append(f"and {len(errors) - MAX_ERRORS} more errors")
    return "The request does not fit its schema: " + "; ".join(lines)


def _line(error: Mapping[str, Any]) -> str:
    place = _path(error["loc"])
    text = f"{place}: {error['msg']}" if place else str(error["msg"])
    if error["type"] in _WITHOUT_VALUE:
        return text
    value = repr(error["input"])
    return f"{text}, not {value if len(value) <= _SHOWN else value[:_SHOWN] + '…'}"


def _path(location: Sequence[Any]) -> str:
    """`items[0].price` for `("items", 0, "price")`."""
    out = ""
    for step in location:
        if isinstance(step, int):
            out += f"[{step}]"
        else:
            out += f".{str(step)[:_SHOWN]}" if out else str(step)[:_SHOWN]
    return out
