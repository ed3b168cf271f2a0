"""The JSON of 0.13's web server, where it differs from the usual JSON of protobuf messages.

It wrote messages as they are in memory: a `Timestamp` is `{"seconds": "1", "nanos": 2}`, a `Struct`
`{"fields": {"key": {"numberValue": 1}}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

_TIME = {"seconds", "nanos"}
_KINDS = ("nullValue", "numberValue", "stringValue", "boolValue", "structValue", "listValue")


def struct_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """A dictionary, spelled out."""
    return {"fields": {key: _spelled(value) for key, value in values.items()}} if values else {}


def usual_json(value: Any) -> Any:
    """JSON in which times and dictionaries may be spelled out, as protobuf's own reader takes it."""
    if isinstance(value, list):
        return [usual_json(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == _TIME:
        moment = datetime.fromtimestamp(int(value["seconds"]), timezone.utc).replace(tzinfo=None)
        return f"{moment.isoformat()}.{int(value['nanos']):09d}Z"
    if set(value) == {"fields"} and _is_spelled(value["fields"]):
        return {key: _plain(item) for key, item in value["fields"].items()}
    return {key: usual_json(item) for key, item in value.items()}


def _spelled(value: Any) -> dict[str, Any]:
    if value is None:
        return {"nullValue": "NULL_VALUE"}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int | float):
        return {"numberValue": int(value) if float(value).is_integer() else value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"listValue": {"values": [_spelled(item) for item in value]} if value else {}}
    return {"structValue": struct_json(value)}


def _is_spelled(fields: Any) -> bool:
    return isinstance(fields, Mapping) and all(
        isinstance(item, Mapping) and len(item) == 1 and next(iter(item)) in _KINDS
        for item in fields.values()
    )


def _plain(item: Mapping[str, Any]) -> Any:
    [(kind, value)] = item.items()
    if kind == "nullValue":
        return None
    if kind == "listValue":
        return [_plain(one) for one in value.get("values", [])]
    if kind == "structValue":
        return {key: _plain(one) for key, one in value.get("fields", {}).items()}
    return value
