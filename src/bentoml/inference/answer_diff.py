"""Whether two answers are the same: as JSON values with a tolerance for floats, else byte by byte."""

from __future__ import annotations

import json
from itertools import zip_longest
from math import isnan
from typing import Any, NamedTuple

from bentoml.types import Reply

MISSING = object()


class Tolerance(NamedTuple):
    """Two floats are the same if they are within `absolute`, or within `relative` of the larger one.

    The default allows for the order in which a matrix product adds, which depends on the batch size.
    """

    relative: float = 1e-5
    absolute: float = 1e-8


def difference(one: Reply, other: Reply, tolerance: Tolerance) -> str | None:
    """What differs, in words; None if the answers are the same."""
    if one.head.status != other.head.status:
        return f"status {one.head.status} and {other.head.status}"
    if one.body == other.body:
        return None
    if one.head != other.head:
        return "the header fields differ"
    try:
        values = json.loads(one.body), json.loads(other.body)
    except ValueError:
        return "the bodies differ"
    return _compare(values[0], values[1], tolerance, "$")


def _compare(one: Any, other: Any, tolerance: Tolerance, path: str) -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            found = _compare(one.get(key, MISSING), other.get(key, MISSING), tolerance, f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list):
        for i, (a, b) in enumerate(zip_longest(one, other, fillvalue=MISSING)):
            found = _compare(a, b, tolerance, f"{path}[{i}]")
            if found:
                return found
        return None
    if type(one) is type(other) and (
        one == other or (isinstance(one, float) and _close(one, other, tolerance))
    ):
        return None
    return f"{path}: {_shown(one)} and {_shown(other)}"


def _close(one: float, other: float, tolerance: Tolerance) -> bool:
    if isnan(one) or isnan(other):
        return isnan(one) and isnan(other)
    most = max(tolerance.absolute, tolerance.relative * max(abs(one), abs(other)))
    return abs(one - other) <= most


def _shown(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
