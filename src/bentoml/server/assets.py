"""The files of the server's own pages, read once from the installed package."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from .errors import not_found

ASSETS = {
    "main.css": ("main.css", "text/css"),
    "readme.css": ("readme.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "favicon.svg": ("favicon.svg", "image/svg+xml"),
    "swagger-ui.css": ("vendor/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("vendor/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui-LICENSE.txt": ("vendor/swagger-ui-LICENSE.txt", "text/plain"),
}
GZIP_FROM_BYTES = 4096


@dataclass(frozen=True)
class Asset:
    """A file and what is derived from it, on demand."""

    content: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, 6, mtime=0)


@lru_cache(maxsize=len(ASSETS))
def load_asset(name: str) -> Asset:
    """One of `ASSETS`. Raises `KeyError`."""
    path, media_type = ASSETS[name]
    content = files("bentoml.server").joinpath("ui").joinpath(path).read_bytes()
    return Asset(content, f"{media_type}; charset=utf-8")


async def asset(request: Request) -> Response:
    """`/static_content/<name>`."""
    name = request.path_params["name"]
    if name not in ASSETS:
        return not_found()
    found = await run_in_threadpool(load_asset, name)
    headers = {"ETag": found.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = found.content
    if len(content) > GZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        content = await run_in_threadpool(lambda: found.compressed)
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers={**headers, "Content-Type": found.media_type})
