"""Spans of the requests that the web application answers; the dispatcher's have their own."""

from __future__ import annotations

from time import time_ns

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bentoml.observability.tracing.spans import AttributeValue

from .hub import raw_fields
from .page_stats import page_name
from .tracing import Tracer

TRACED = "bentoml.traced"
PATH_CHARACTERS = 256


class PageTraces:
    """Around everything that makes an answer; an exception that leaves is a 500.

    Args:
        pages: known first parts of paths; others are named by their method only, so that clients
            cannot make span names up.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer, pages: tuple[str, ...]) -> None:
        self.app = app
        self.tracer = tracer
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        elsewhere: list[bool] = []  # a prediction in the queue puts something here: its sink makes the span
        scope[TRACED] = elsewhere
        sampled, parent = self.tracer.decide(raw_fields(scope["method"].encode(), scope["headers"]))
        if not sampled:
            await self.app(scope, receive, send)
            return
        start_ns = time_ns()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            if not elsewhere:
                self.tracer.record(parent, scope["method"], self._attributes(scope), start_ns, status)

    def _attributes(self, scope: Scope) -> dict[str, AttributeValue]:
        path = scope["path"]
        attributes: dict[str, AttributeValue] = {"url.path": path[:PATH_CHARACTERS]}
        name = page_name(path)
        if name in self.pages:
            attributes["http.route"] = f"/{name}"
        return attributes
