"""Cross-origin answers, with 0.13's configuration keys; absent unless CORS is enabled.

A foreign origin gets no `Access-Control-*` field at all, and no origin is ever reflected that is not
in the list, so credentials cannot leak to it.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bentoml.settings import CorsSettings

DEFAULT_METHODS = ("GET", "POST")
DEFAULT_HEADERS = ("Content-Type",)


class Cors:
    """Adds the fields for allowed origins and answers their preflight requests."""

    def __init__(self, app: ASGIApp, settings: CorsSettings) -> None:
        self.app = app
        self.settings = settings
        self.origins = settings.allow_origin or ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None:
            await self.app(scope, receive, self._varying(send))
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await self._preflight(origin)(scope, receive, send)
        else:
            await self.app(scope, receive, self._marked(send, origin))

    def allowed_origin(self, origin: str) -> str | None:
        """What `Access-Control-Allow-Origin` says to this origin."""
        if "*" in self.origins:
            return "*"
        return origin if origin in self.origins else None

    def _common(self, origin: str) -> dict[str, str]:
        allowed = self.allowed_origin(origin)
        if allowed is None:
            return {}
        fields = {"Access-Control-Allow-Origin": allowed}
        if self.settings.allow_credentials:
            fields["Access-Control-Allow-Credentials"] = "true"
        return fields

    def _preflight(self, origin: str) -> Response:
        fields = self._common(origin)
        if not fields:
            return Response(
                "CORS preflight: this origin is not allowed", 403, {"Vary": "Origin"}, "text/plain"
            )
        fields["Access-Control-Allow-Methods"] = ", ".join(self.settings.allow_methods or DEFAULT_METHODS)
        fields["Access-Control-Allow-Headers"] = ", ".join(self.settings.allow_headers or DEFAULT_HEADERS)
        if self.settings.max_age is not None:
            fields["Access-Control-Max-Age"] = str(self.settings.max_age)
        return Response(b"", 200, {**fields, "Vary": "Origin"}, "text/plain")

    def _marked(self, send: Send, origin: str) -> Send:
        fields = self._common(origin)
        if fields and self.settings.expose_headers:
            fields["Access-Control-Expose-Headers"] = ", ".join(self.settings.expose_headers)
        return self._varying(send, fields)

    def _varying(self, send: Send, fields: dict[str, str] | None = None) -> Send:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(fields or {})
                if "*" not in self.origins:
                    headers.add_vary_header("Origin")
            await send(message)

        return marked
