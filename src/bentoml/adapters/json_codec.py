"""JSON in and out, exact and bounded, as close to the price of the parser as it gets.

Reading: orjson decides what is valid. It reads integers beyond 64 bits as floats, so a body with 19
digits in a row is read again with exact integers. Nesting is checked against our own limit, but
only in bodies that have enough brackets to reach it. The last of duplicate keys wins.

Writing: numbers of a whole batch are written by one call and cut apart again; that is safe because a
number has no comma. `NaN` and infinities become `null`, so every answer is valid JSON.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

from bentoml.exceptions import BadInput

from .limits import DecodeLimits

INVALID = "Not a valid JSON format"
_JOINABLE = 8192  # bytes of a body; joining larger ones to look for digits costs more than it saves
_DIGIT_RUN = b"0" * 19
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_INTEGER = re.compile(rb"(?<![\d.])\d{19,}(?![\d.eE])")
_NOT_BRACKETS = bytes(b for b in range(256) if b not in b"[]{}")
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_STEPS = bytes.maketrans(b"[]", b"\x01\xff")
_PLAIN_NUMBERS = frozenset({int, float, bool, type(None)})


def loads(body: bytes, limits: DecodeLimits) -> Any:
    """The value of one JSON text in UTF-8. Raises `BadInput`."""
    from orjson import JSONDecodeError  # noqa: PLC0415
    from orjson import loads as parse  # noqa: PLC0415

    try:
        value = parse(body)
    except JSONDecodeError as err:
        raise BadInput(f"{INVALID}: {_reason(body, err)}") from err
    if has_long_integer(body):
        value = _loads_exact(body, limits)
    if len(body) > 2 * limits.json_depth:
        check_depth(body, limits.json_depth)
    return value


def loads_many(bodies: list[bytes], limits: DecodeLimits) -> list[Any] | None:
    """All values at once, or None when at least one body needs a look of its own.

    Each body is parsed alone: joining bodies would let one client's brackets reach into another's.
    """
    from orjson import JSONDecodeError  # noqa: PLC0415
    from orjson import loads as parse  # noqa: PLC0415

    longest = max(map(len, bodies), default=0)
    if longest > _JOINABLE:
        return None
    if longest > 2 * limits.json_depth and any(_may_be_deep(body, limits.json_depth) for body in bodies):
        return None
    if longest >= len(_DIGIT_RUN) and _DIGIT_RUN in b" ".join(bodies).translate(_DIGITS):
        return None
    try:
        return list(map(parse, bodies))
    except JSONDecodeError:
        return None


def has_long_integer(body: bytes) -> bool:
    """Whether some integer may not fit 64 bits."""
    if len(body) < len(_DIGIT_RUN) or _DIGIT_RUN not in body.translate(_DIGITS):
        return False
    return _LONG_INTEGER.search(body) is not None


def check_depth(body: bytes, limit: int) -> None:
    """Raises `BadInput` if valid JSON nests deeper than `limit`; time is linear in its size."""
    if not _may_be_deep(body, limit):
        return
    outside = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(_ONE_KIND, _NOT_BRACKETS)
    rounds = min(8, limit)
    for done in range(rounds):  # real documents are flat: a few rounds empty them
        if len(brackets) // 2 + done <= limit:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets and rounds + max(accumulate(array("b", brackets.translate(_STEPS)))) > limit:
        raise BadInput(f"{INVALID}: nested deeper than {limit} levels")


def _may_be_deep(body: bytes, limit: int) -> bool:
    return body.count(b"[") + body.count(b"{") > limit


def _loads_exact(body: bytes, limits: DecodeLimits) -> Any:
    def integer(digits: str) -> int:
        if len(digits.lstrip("-")) > limits.int_digits:
            raise BadInput(f"{INVALID}: an integer has more than {limits.int_digits} digits")
        return int(digits)

    try:
        return json.loads(body, parse_int=integer)
    except (ValueError, RecursionError) as err:
        raise BadInput(f"{INVALID}: a number cannot be read") from err


def _reason(body: bytes, err: Exception) -> str:
    if not body.strip():
        return "the body is empty"
    return str(err).partition(" (char")[0][:120]


def dumps(value: Any, *, ensure_ascii: bool = False) -> bytes:
    """One JSON text, UTF-8, no spaces.

    NumPy values become numbers and lists, bytes become text or `{"b64": …}`, and an object JSON does
    not know becomes `{"unknown_obj": str(object)}`. Raises `TypeError`, `ValueError` or
    `RecursionError` for a value that refers to itself or has keys JSON cannot hold.
    """
    import orjson  # noqa: PLC0415

    if ensure_ascii:
        return _dumps_slow(value, ensure_ascii=True)
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    try:
        return orjson.dumps(value, plain, options)
    except TypeError:  # integers over 64 bits, lone surrogates, odd keys
        return _dumps_slow(value, ensure_ascii=False)


def dumps_many(values: Sequence[Any]) -> list[bytes] | None:
    """The texts of many numbers, or of many rows of numbers, by one call; None if they are not that."""
    from orjson import dumps as write  # noqa: PLC0415

    kinds = set(map(type, values))
    try:
        if kinds <= _PLAIN_NUMBERS:
            return write(values)[1:-1].split(b",") if values else []
        if kinds <= {list} and set(map(type, chain.from_iterable(values))) <= _PLAIN_NUMBERS:
            return [b"[" + row + b"]" for row in write(values)[2:-2].split(b"],[")]
    except TypeError:  # an integer over 64 bits
        return None
    return None


def plain(value: Any) -> Any:
    """What to write in place of a value JSON does not know."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(value))
    if isinstance(value, tuple):
        return list(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return {"unknown_obj": str(value)}


def _from_bytes(data: bytes) -> Any:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        import base64  # noqa: PLC0415

        return {"b64": base64.b64encode(data).decode("ascii")}


def _dumps_slow(value: Any, *, ensure_ascii: bool) -> bytes:
    text = json.dumps(_finite(value), default=plain, ensure_ascii=ensure_ascii, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate can only be written as an escape
        return _dumps_slow(value, ensure_ascii=True)


def _finite(value: Any) -> Any:
    """A copy that `json` writes as valid JSON: NaN is None, NumPy values and bytes are plain."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {_key(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if value is None or isinstance(value, (str, int)):
        return value
    return _finite(plain(value))


def _key(key: Any) -> Any:
    return key.item() if type(key).__module__ == "numpy" and hasattr(key, "item") else key
