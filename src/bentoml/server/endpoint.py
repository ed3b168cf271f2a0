"""A path with its methods: answers HEAD, OPTIONS and wrong methods the same way everywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from .errors import method_not_allowed, options

Handler = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """An ASGI application for one path.

    Args:
        handler: makes the response.
        methods: what the path takes; GET implies HEAD.
    """

    def __init__(self, handler: Handler, methods: tuple[str, ...]) -> None:
        self.handler = handler
        self.methods = with_head(methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method in self.methods:
            response = await self.handler(request)
        elif request.method == "OPTIONS":
            response = options((*self.methods, "OPTIONS"))
        else:
            response = method_not_allowed(self.methods)
        await response(scope, receive, send)


def with_head(methods: tuple[str, ...]) -> tuple[str, ...]:
    """The methods, with HEAD beside GET."""
    return (*methods, "HEAD") if "GET" in methods and "HEAD" not in methods else methods


def endpoint(path: str, handler: Handler, *methods: str) -> BaseRoute:
    """A route that decides about methods itself, so that a wrong one never falls through to another."""
    return Route(path, endpoint=Endpoint(handler, methods))
