"""URL prefixes: a reverse proxy may publish the server below a path, and may or may not cut it off."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

PLAIN_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+\Z")


class UrlPrefix:
    """Finds the public prefix of a request, leaves it in `scope["bentoml.prefix"]`, and cuts it off the path.

    Args:
        prefix: the configured prefix; without one, the header `X-Forwarded-Prefix` is believed if it
            is a plain path. It is used for links only, so a client can fool only itself.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = self.prefix or forwarded_prefix(Headers(scope=scope))
        path = scope["path"]
        if prefix and path == prefix:
            # a page's relative links need the slash
            answer = Response(status_code=307, headers={"Location": f"{prefix}/"})
            await answer(scope, receive, send)
            return
        if prefix and path.startswith(f"{prefix}/"):
            path = path[len(prefix) :]
        await self.app({**scope, "path": path, "root_path": "", "bentoml.prefix": prefix}, receive, send)


def forwarded_prefix(headers: Headers) -> str:
    """`X-Forwarded-Prefix` as `"/a/b"`, or `""` when it is missing or no plain path."""
    value = headers.get("x-forwarded-prefix", "").partition(",")[0].strip().rstrip("/")
    if not value or len(value) > 256 or not PLAIN_PREFIX.match(value) or ".." in value.split("/"):
        return ""
    return value
