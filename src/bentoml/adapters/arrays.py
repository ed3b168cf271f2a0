"""Bytes and nested lists to NumPy arrays: nothing is unpickled, nothing is allocated by a claimed size.

Three forms: JSON lists, `.npy` files (numbers and booleans only), and raw little-endian values whose
type and shape are told beside them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from math import prod
from typing import Any

from bentoml.exceptions import BadInput, InvalidArgument

from . import nested
from .declared import dtype_name
from .nested import Nested

NPY_MAGIC = b"\x93NUMPY"
NUMBERS = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
_CODES = {
    **{"?": "bool", "b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64"},
    **{"u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64"},
    **{"f2": "float16", "f4": "float32", "f8": "float64"},
}
_PYTHON = {"float": "float64", "int": "int64", "double": "float64", "string": "str"}
_NATURAL = {nested.BOOL: "bool", nested.INT: "int64", nested.FLOAT: "float64"}
_SHAPE = re.compile(r"[\[(]?\s*(\d{1,10}(?:\s*,\s*\d{1,10})*)?\s*,?\s*[\])]?")

Dimension = int | None


def array_dtype(dtype: Any) -> str:
    """The name of a type an array may be declared to have. Raises `InvalidArgument` for any other."""
    name = dtype_name(dtype)
    name = _PYTHON.get(name, name)
    if name not in (*NUMBERS, "str"):
        raise InvalidArgument(f"dtype {dtype!r} is not one of {', '.join(NUMBERS)}, str")
    return name


def array_shape(shape: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """A declared shape, -1 as None. Raises `InvalidArgument`."""
    wanted = tuple(None if size in (None, -1) else size for size in shape)
    if not all(size is None or (isinstance(size, int) and size > 0) for size in wanted):
        raise InvalidArgument(f"shape {shape!r} must have positive sizes, None for any size")
    return wanted


def from_nested(value: Any, dtype: str | None) -> Any:
    """The array of nested lists. Raises `BadInput` for what is ragged, mixed or does not fit `dtype`."""
    import numpy  # noqa: PLC0415

    block = nested.flatten(value)
    kind = nested.kind_of(block.leaves)
    if kind == nested.TEXT:
        if dtype != "str":
            raise BadInput(f"the array has texts; expected {dtype or 'numbers'}")
        return numpy.array(block.leaves, dtype=str).reshape(block.shape)
    if dtype == "str":
        raise BadInput("the array has no texts; expected str")
    return _numbers(block, kind, dtype or _NATURAL[kind]).reshape(block.shape)


def _numbers(block: Nested, kind: str, name: str) -> Any:
    import numpy  # noqa: PLC0415

    target = numpy.dtype(name)
    if (target.kind == "b") != (kind == nested.BOOL) or (target.kind in "iu" and kind != nested.INT):
        words = {nested.BOOL: "true/false", nested.INT: "integers", nested.FLOAT: "numbers with a fraction"}
        raise BadInput(f"the array has {words[kind]}; expected {name}")
    leaves = block.leaves
    if target.kind in "iu":
        bounds = numpy.iinfo(target)
        for value in (min(leaves), max(leaves)):
            if not bounds.min <= value <= bounds.max:
                raise BadInput(f"{str(value)[:40]} does not fit {name}")
        return numpy.array(leaves, dtype=target)
    if target.kind == "b":
        return numpy.array(leaves, dtype=target)
    try:
        found = numpy.array([float("nan") if v is None else v for v in leaves], dtype=numpy.float64)
    except OverflowError as err:
        raise BadInput(f"an integer does not fit {name}") from err
    return to_float(found, target)


def to_float(array: Any, target: Any) -> Any:
    """`array` as floats of type `target`. Raises `BadInput` if a finite value becomes infinite."""
    import numpy  # noqa: PLC0415

    if array.dtype == target:
        return array
    with numpy.errstate(over="ignore"):
        found = array.astype(target)
    if (numpy.isinf(found) & numpy.isfinite(array)).any():
        raise BadInput(f"a value is too large for {target}")
    return found


def from_npy(data: bytes) -> Any:
    """The array of an `.npy` file. Raises `BadInput` for objects, records, and sizes that do not agree."""
    from numpy.lib import format as npy  # noqa: PLC0415

    if not data.startswith(NPY_MAGIC):
        raise BadInput("the body is not an .npy file; .npz archives and pickles are not read")
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream)
    except Exception as err:  # the header is parsed as Python literals: no list of errors is complete
        raise BadInput("the header of the .npy file cannot be read") from err
    if dtype.hasobject or dtype.kind not in "biuf" or dtype.itemsize > 8 or dtype.subdtype:
        raise BadInput(f"arrays of type {str(dtype)[:40]} are not read; send numbers or booleans")
    return _block(data, stream.tell(), dtype, shape, "F" if fortran else "C")


def from_raw(data: bytes, dtype: str | None, shape: Sequence[Dimension] | None) -> Any:
    """The array of little-endian values in C order; at most one size of `shape` may be None."""
    import numpy  # noqa: PLC0415

    if dtype is None or dtype == "str" or shape is None:
        raise BadInput("raw values need their type and shape beside them")
    found = numpy.dtype(dtype).newbyteorder("<")
    known = prod(size for size in shape if size is not None) * found.itemsize
    if shape.count(None) > 1:
        raise BadInput(f"raw values need their whole shape beside them; only {shown(shape)} is known")
    if None in shape:
        filled = tuple(len(data) // known if size is None else size for size in shape)
    else:
        filled = tuple(size for size in shape if size is not None)
    return _block(data, 0, found, filled, "C")


def _block(data: bytes, start: int, dtype: Any, shape: Sequence[int], order: Any) -> Any:
    import numpy  # noqa: PLC0415

    if len(shape) > nested.MAX_DIMENSIONS or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise BadInput(f"shape {str(list(shape))[:80]} is not a shape of at most 32 dimensions")
    count = prod(shape)
    if count * dtype.itemsize != len(data) - start:
        raise BadInput(
            f"shape {str(list(shape))[:80]} of {dtype.name} takes {count * dtype.itemsize} bytes; "
            f"there are {len(data) - start}"
        )
    if count == 0:
        raise BadInput("the array is empty; send one or more values")
    flat = numpy.frombuffer(data, dtype, count, start)
    if dtype.kind == "b" and (flat.view(numpy.uint8) > 1).any():
        raise BadInput("a boolean is one byte, 0 or 1")
    return flat.reshape(shape, order=order).astype(dtype.newbyteorder("="), copy=False)


def fit(array: Any, dtype: str | None, shape: Sequence[Dimension] | None) -> Any:
    """`array` as `dtype`. Raises `BadInput` if its values may not fit or its shape is another one."""
    import numpy  # noqa: PLC0415

    if shape is not None and not _matches(array.shape, shape):
        raise BadInput(f"the array has shape {list(array.shape)}; expected {shown(shape)}")
    if dtype is None or dtype == "str":
        if (array.dtype.kind == "U") != (dtype == "str"):
            raise BadInput(f"the array has type {array.dtype.name}; expected {dtype or 'numbers'}")
        return array
    target = numpy.dtype(dtype)
    if target.kind == "f" and array.dtype.kind in "iuf":
        return to_float(array, target)
    if not numpy.can_cast(array.dtype, target, "safe") or (array.dtype.kind == "b") != (target.kind == "b"):
        raise BadInput(f"the array has type {array.dtype.name}; expected {dtype}")
    return array.astype(target, copy=False)


def _matches(found: Sequence[int], wanted: Sequence[Dimension]) -> bool:
    return len(found) == len(wanted) and all(b is None or a == b for a, b in zip(found, wanted, strict=True))


def shown(shape: Sequence[Dimension]) -> str:
    """A declared shape for people: `[*, 4]`."""
    return f"[{', '.join('*' if size is None else str(size) for size in shape)}]"


def parse_dtype(text: str) -> str:
    """The type a header names, as `float32` or `<f4`. Raises `BadInput`."""
    name = text.strip().lower()
    name = _CODES.get(name.lstrip("<|"), name)
    if name not in NUMBERS:
        raise BadInput(f"type '{text[:40]}' is not one of {', '.join(NUMBERS)}")
    return name


def parse_shape(text: str) -> tuple[int, ...]:
    """The shape a header names, as `2,3` or `[2, 3]`. Raises `BadInput`."""
    match = _SHAPE.fullmatch(text.strip()) if len(text) <= 512 else None
    if match is None:
        raise BadInput(f"shape '{text[:80]}' is not a list of sizes such as 2,3")
    return tuple(int(part) for part in (match.group(1) or "").split(",") if part.strip())
