"""Refuses requests that a page of another site, or a name that was pointed here, makes a browser send."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
)


class SiteGuard:
    """Checks `Host` and `Origin`, and adds the headers that keep pages contained.

    Args:
        hosts: names the pages may be asked for under; empty if any will do, because every caller
            needs a token anyway.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        problem = self._problem(scope["method"], headers)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {key for key, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in _HEADERS if pair[0] not in present),
                ]
            await send(message)

        if problem:
            await PlainTextResponse(problem, 403)(scope, receive, with_headers)
        else:
            await self.app(scope, receive, with_headers)

    def _problem(self, method: str, headers: dict[str, str]) -> str:
        host = headers.get("host", "")
        if self.hosts and _name_of(host) not in self.hosts:
            return "Forbidden: this host name is none of this server's. Add it to yatai.allowed_hosts.\n"
        origin = headers.get("origin")
        if method not in _SAFE_METHODS and origin is not None and urlsplit(origin).netloc != host:
            return "Forbidden: the request comes from a page of another site.\n"
        return ""


def allowed_hosts(bound_to: str, further: tuple[str, ...]) -> frozenset[str]:
    """The names for `SiteGuard` of a server that listens on `bound_to`."""
    names = {name.lower() for name in further}
    if bound_to.lower() in LOOPBACK:
        return frozenset({*LOOPBACK, *names})
    return frozenset({*LOOPBACK, bound_to.lower(), *names}) if names else frozenset()


def _name_of(host: str) -> str:
    """The host without its port, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()
