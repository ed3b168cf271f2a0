"""The description of an array that joblib writes before the array's bytes."""

from __future__ import annotations

import math
import re
from typing import Any

from .pickle_facts import Global, Made

_DTYPE = re.compile(r"[|<>=]?([a-zA-Z?])(\d*)\Z")
_JOBLIB_ARRAY = ("joblib.numpy_pickle", "NumpyArrayWrapper")


def is_joblib_array(made: Made) -> bool:
    """`NumpyArrayWrapper`, made by NEWOBJ or (protocol 1) by `copyreg._reconstructor`."""
    source = made.source
    if isinstance(source, Global) and source.name == "_reconstructor" and isinstance(made.arguments, tuple):
        source = made.arguments[0] if made.arguments else None
    return isinstance(source, Global) and (source.module, source.name) == _JOBLIB_ARRAY


def array_bytes(state: Any) -> int | None:
    """Bytes of the array that joblib writes after its description; -1 for objects, None if unclear."""
    if not isinstance(state, dict):
        return None
    shape, dtype = state.get("shape"), state.get("dtype")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        return None
    if not isinstance(dtype, Made) or not isinstance(dtype.arguments, tuple) or not dtype.arguments:
        return None
    match = _DTYPE.match(str(dtype.arguments[0]))
    if match is None:
        return None
    kind, size = match.group(1), int(match.group(2) or 1)
    details = dtype.state
    flags = details[7] if isinstance(details, tuple) and len(details) > 7 else 0
    if kind == "O" or (isinstance(flags, int) and flags & 1):
        return -1
    return math.prod(shape) * size * (4 if kind == "U" else 1)
