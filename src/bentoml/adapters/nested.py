"""Nested JSON lists to a shape and its leaves, before any array exists.

The shape is what the lists really are, so nothing is ever allocated by a size a client claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from bentoml.exceptions import BadInput

MAX_DIMENSIONS = 32
BOOL, INT, FLOAT, TEXT = "b", "i", "f", "s"
_NONE = type(None)
_WORDS = {bool: "true/false", int: "integers", float: "numbers", str: "texts", _NONE: "null", dict: "objects"}
_KINDS: dict[frozenset[type], str] = {
    frozenset({bool}): BOOL,
    frozenset({int}): INT,
    frozenset({float}): FLOAT,
    frozenset({int, float}): FLOAT,
    frozenset({int, _NONE}): FLOAT,
    frozenset({float, _NONE}): FLOAT,
    frozenset({int, float, _NONE}): FLOAT,
    frozenset({str}): TEXT,
    frozenset({bytes}): TEXT,
    frozenset({str, bytes}): TEXT,
}


class Nested(NamedTuple):
    """A rectangular block of values.

    Attributes:
        shape: length of each level of lists; empty for a value that is no list.
        leaves: all values in row-major order.
    """

    shape: tuple[int, ...]
    leaves: list[Any]


def flatten(value: Any) -> Nested:
    """The shape and leaves of nested lists. Raises `BadInput` if they are ragged, empty or too deep."""
    shape: list[int] = []
    level = [value]
    while type(level[0]) is list:
        if set(map(type, level)) != {list}:
            raise BadInput(f"lists and other values are mixed at depth {len(shape)}")
        widths = set(map(len, level))
        if len(widths) != 1:
            raise BadInput(
                f"the lists at depth {len(shape)} have different lengths, such as {_some(sorted(widths))}"
            )
        width = widths.pop()
        if width == 0:
            raise BadInput("the array is empty; send one or more values")
        shape.append(width)
        if len(shape) > MAX_DIMENSIONS:
            raise BadInput(f"the array has more than {MAX_DIMENSIONS} dimensions")
        level = list(chain.from_iterable(level))
    return Nested(tuple(shape), level)


def kind_of(leaves: Sequence[Any]) -> str:
    """`b`, `i`, `f` or `s`; null among numbers makes them `f`. Raises `BadInput` for other mixtures."""
    types = frozenset(map(type, leaves))
    kind = _KINDS.get(types)
    if kind is None:
        words = sorted(_WORDS.get(t, "lists") for t in types)
        raise BadInput(f"an array holds one type of values; this one has {' and '.join(words)}")
    return kind


def _some(numbers: list[int]) -> str:
    return " and ".join(map(str, (numbers[0], numbers[-1])))
