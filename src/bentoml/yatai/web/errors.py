"""How errors look: the same shape as JSON for programs and as text for people."""

from __future__ import annotations

import logging
import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bentoml.exceptions import BentoMLException
from bentoml.rpc.status import code_name, shown

logger = logging.getLogger("bentoml.yatai")


def explain(request: Request, error: Exception) -> Response:
    """The answer for an error of this library."""
    assert isinstance(error, BentoMLException)
    if error.http_status >= 500:
        return unexpected(request, error)
    return _answer(request, error.http_status, code_name(error.grpc_code), shown(error))


def unexpected(request: Request, error: Exception) -> Response:
    """The answer for everything else; the log has the reason."""
    reference = uuid.uuid4().hex[:12]
    logger.error("%s %s failed (%s)", request.method, request.url.path, reference, exc_info=error)
    return _answer(request, 500, "INTERNAL", f"The server failed; its log has the reason under {reference}.")


def _answer(request: Request, status: int, code: str, message: str) -> Response:
    wants_json = request.url.path.endswith(".json") or "/api/" in request.url.path
    if wants_json:
        return JSONResponse({"error": {"code": code, "message": message}}, status)
    return PlainTextResponse(f"{message}\n", status)
