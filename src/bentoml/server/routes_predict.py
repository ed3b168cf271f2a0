"""The plain ASGI road to a prediction: the same queue as the fast path, for any server and for tests.

Under our own server most predictions never come here (`server.protocol` takes them first); those
that do are the ones that need a page's services: a URL prefix to cut off, CORS, another protocol.
"""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from .app_state import AppState
from .bodies import BodyRefused, read_body
from .errors import method_not_allowed, options, text_error
from .page_traces import TRACED

GONE = 499  # never sent: the client is not there any more


async def predict(state: AppState, request: Request, route: str, methods: tuple[str, ...]) -> Response:
    """Answer a request for a prediction route."""
    request.scope["bentoml.prediction"] = True
    if request.method not in methods:
        is_question = request.method == "OPTIONS"
        refusal = options((*methods, "OPTIONS")) if is_question else method_not_allowed(methods)
        return _counted(state, route, refusal)
    server = state.settings.server
    try:
        body = await read_body(request, server.max_request_size, server.body_timeout_s)
    except BodyRefused as refused:
        answer = text_error(refused.status, refused.message, {"Connection": "close"})
        return _counted(state, route, answer)
    except ClientDisconnect:
        return Response(status_code=GONE)
    return await _run(state, request, route, body)


def _counted(state: AppState, route: str, response: Response) -> Response:
    """Count an answer that the dispatcher never sees."""
    state.stats[route].of_status(response.status_code).observe(0.0)
    return response


async def _run(state: AppState, request: Request, route: str, body: bytes) -> Response:
    """The answer, unless the client leaves first: then the request leaves the queue too."""
    request.scope.get(TRACED, []).append(True)
    prediction = asyncio.ensure_future(state.predict(route, raw_head(request), body))
    departure = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({prediction, departure}, return_when=asyncio.FIRST_COMPLETED)
        if not prediction.done():
            return Response(status_code=GONE)
        status, headers, answer = prediction.result()
    finally:
        departure.cancel()
        prediction.cancel()
    response = Response(answer, status)
    response.raw_headers = [*headers, (b"content-length", b"%d" % len(answer))]
    return response


def raw_head(request: Request) -> bytes:
    """Method and header fields in the form in which they cross to a worker."""
    lines = [request.method.encode("latin-1")]
    lines.extend(name + b": " + value for name, value in request.headers.raw)
    return b"\r\n".join((*lines, b""))
