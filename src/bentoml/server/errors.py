"""The one shape of an error answer: its message as plain text, as in 0.13.

A message says what is wrong with the request. It never carries a traceback, a path of this machine
or another request's data; an unexpected error goes to the log and the client gets its id.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("bentoml.server")


def text_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error answer."""
    return Response(message, status, headers=headers, media_type="text/plain")


def not_found() -> Response:
    return text_error(404, "Not Found: there is no page or API at this path")


def method_not_allowed(allowed: Sequence[str]) -> Response:
    names = ", ".join(allowed)
    return text_error(405, f"Method Not Allowed: this path takes {names}", {"Allow": names})


def options(allowed: Sequence[str]) -> Response:
    """The answer to OPTIONS that is no CORS preflight."""
    return Response(b"", 200, headers={"Allow": ", ".join(allowed)}, media_type="text/plain")


def unavailable(reason: str) -> Response:
    return text_error(503, f"Service Unavailable: {reason}", {"Retry-After": "1"})


class UnexpectedErrors:
    """Outermost layer: an exception nobody expected is logged with an id, and the client gets the id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            error_id = str(uuid.uuid4())
            logger.exception("request failed, id %s: %s %s", error_id, scope["method"], scope["path"])
            if started:
                raise  # the answer is cut; only closing the connection tells the client so
            answer = text_error(500, f"Internal Server Error, id {error_id}", {"X-Request-Id": error_id})
            await answer(scope, receive, send)
