"""JSON Schema of today to the dialect of OpenAPI 3.0, which has fewer words.

Definitions are put in where they are referred to, because an adapter describes one request and knows
nothing of the document around it. Where a definition refers to itself the description ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_DROPPED = frozenset(
    ("$defs", "$schema", "$id", "$comment", "discriminator", "propertyNames", "patternProperties")
)
_PLAIN = frozenset(("default", "example", "enum", "required"))
_OPEN_ENDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def to_openapi(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` without references, in the words of OpenAPI 3.0."""
    found: dict[str, Any] = _Converter(schema.get("$defs", {}), ()).convert(schema)
    return found


class _Converter(NamedTuple):
    """Definitions at hand, and names of those that are being put in."""

    definitions: Mapping[str, Any]
    inside: tuple[str, ...]

    def convert(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.convert(value) for value in node]
        if not isinstance(node, Mapping):
            return node
        if "$ref" in node:
            return self._resolved(node)
        out: dict[str, Any] = {}
        for key, value in node.items():
            out.update(self._words(key, value))
        if out.get("type") == "array":
            out.setdefault("items", {})
        return _nullable(out)

    def _words(self, key: str, value: Any) -> Iterator[tuple[str, Any]]:
        """What one word of JSON Schema is in OpenAPI."""
        if key in _DROPPED or (key == "items" and isinstance(value, bool)):
            return
        if key in _PLAIN:
            yield key, value
        elif key == "properties":
            yield key, {name: self.convert(child) for name, child in value.items()}
        elif key == "const":
            yield "enum", [value]
        elif key == "examples":
            yield from [("example", example) for example in value[:1]]
        elif key == "prefixItems":
            yield "items", {"anyOf": self.convert(value)}
        elif key in _OPEN_ENDS:
            yield _OPEN_ENDS[key], value
            yield key, True
        else:
            yield key, self.convert(value)

    def _resolved(self, node: Mapping[str, Any]) -> Any:
        name = str(node["$ref"]).rpartition("/")[2]
        if name in self.inside or name not in self.definitions:
            return {"type": "object", "title": name, "description": f"Another {name}."}
        beside = {key: value for key, value in node.items() if key != "$ref"}
        inner = self._replace(inside=(*self.inside, name))
        return inner.convert({**self.definitions[name], **beside})


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    """`null` as a type or among the alternatives becomes `nullable`."""
    null = {"enum": [None], "nullable": True}
    if node.get("type") == "null":
        return {**{key: value for key, value in node.items() if key != "type"}, **null}
    choices = node.get("anyOf")
    if not isinstance(choices, list) or null not in choices:
        return node
    rest = [choice for choice in choices if choice != null]
    others = {key: value for key, value in node.items() if key != "anyOf"}
    alone = rest[0] if len(rest) == 1 else {"anyOf": rest}
    return {**alone, **others, "nullable": True}
