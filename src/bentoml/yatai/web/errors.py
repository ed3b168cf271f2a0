"""How errors look: a page for people, one shape of JSON for programs."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bentoml.exceptions import BentoMLException, NotFound, Unauthenticated
from bentoml.rpc.status import code_name, shown
from bentoml.yatai.access import READ, Caller

from .auth import caller_of, sent_token
from .pages import Pages
from .state import WebState

logger = logging.getLogger("bentoml.yatai")

TITLES = {
    400: "That cannot be done",
    401: "Who are you?",
    403: "Not allowed",
    404: "Nothing here",
    409: "That is in the way",
    500: "The server failed",
}
Handler = Callable[[Request, Exception], Response]


def error_handlers(state: WebState, pages: Pages) -> dict[type[Exception] | int, Handler]:
    """By exception, for Starlette."""

    def explain(request: Request, error: Exception) -> Response:
        assert isinstance(error, BentoMLException)
        if error.http_status >= 500:
            return unexpected(request, error)
        if isinstance(error, Unauthenticated) and not _is_program(request):
            query = f"?{request.url.query}" if request.url.query else ""
            here = (
                quote(request.url.path.removeprefix(state.prefix) + query) if request.method == "GET" else "/"
            )
            return RedirectResponse(f"{state.prefix}/login?next={here}", 303)
        return answer(request, error.http_status, code_name(error.grpc_code), shown(error))

    def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return explain(request, NotFound("There is no page at this address."))
        return answer(request, error.status_code, "INVALID_ARGUMENT", error.detail)

    def unexpected(request: Request, error: Exception) -> Response:
        reference = uuid.uuid4().hex[:12]
        logger.error("%s %s failed (%s)", request.method, request.url.path, reference, exc_info=error)
        text = f"The server failed; its log has the reason under {reference}."
        return answer(request, 500, "INTERNAL", text)

    def answer(request: Request, status: int, code: str, message: str) -> Response:
        if _is_program(request):
            return JSONResponse({"error": {"code": code, "message": message}}, status)
        title = TITLES.get(status, "That did not work")
        caller = _caller(state, request) if status < 500 else None  # the server may not know who it is
        return pages.render("error.html", request, caller, status, title=title, message=message)

    return {BentoMLException: explain, HTTPException: of_http, Exception: unexpected}


def _caller(state: WebState, request: Request) -> Caller | None:
    """Who asks, for the navigation of the page; None if that is unknown."""
    try:
        return caller_of(state, request, READ)
    except BentoMLException:
        return None


def _is_program(request: Request) -> bool:
    path = request.url.path
    return path.endswith(".json") or "/api/" in path or bool(sent_token(request))
