"""Errors of this library ⇄ the protocol's status codes."""

from __future__ import annotations

from typing import Any

from bentoml import exceptions
from bentoml.exceptions import BentoMLException

OK = 0
ABORTED = 10
INTERNAL = 13
MAX_MESSAGE_CHARS = 1024

CODE_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_CLASSES: dict[int, type[BentoMLException]] = {
    3: exceptions.InvalidArgument,
    4: exceptions.DeadlineExceeded,
    5: exceptions.NotFound,
    6: exceptions.AlreadyExists,
    7: exceptions.PermissionDenied,
    8: exceptions.Overloaded,
    9: exceptions.FailedPrecondition,
    10: exceptions.YataiServiceRpcAborted,
    11: exceptions.OutOfRange,
    15: exceptions.BundleCorrupted,
    16: exceptions.Unauthenticated,
}


def code_name(code: int) -> str:
    """`NOT_FOUND` for 5."""
    return CODE_NAMES[code] if 0 <= code < len(CODE_NAMES) else "UNKNOWN"


def status_message(error: BentoMLException | None = None) -> dict[str, Any]:
    """The in-band `Status` of an outcome."""
    if error is None:
        return {"status_code": OK}
    return {"status_code": error.grpc_code, "error_message": shown(error)}


def shown(error: BentoMLException) -> str:
    """The text of an error for a client: one short message."""
    text = str(error)
    return text if len(text) <= MAX_MESSAGE_CHARS else text[:MAX_MESSAGE_CHARS] + "…"


def error_of(code: int, text: str) -> BentoMLException:
    """The error that a server's answer stands for."""
    known = _CLASSES.get(code)
    if known is not None:
        return known(text)
    return exceptions.BentoMLRpcError(f"{code_name(code)}: {text}")
