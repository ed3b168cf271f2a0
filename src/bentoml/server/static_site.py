"""Web pages that a service brings along (`@web_static_content`), from an index made beforehand.

A request is looked up in the index; no path of the file system is ever made from it (A14). Links
are not followed, so nothing outside the bundle's folder can be in the index.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .errors import not_found

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class StaticFile:
    """One file of the index."""

    path: Path
    size: int
    media_type: str
    etag: str
    modified: str


class StaticSite:
    """The files below a folder by URL path without the leading slash; `""` is the front page."""

    def __init__(self, folder: Path) -> None:
        self.files = build_index(folder)

    def find(self, path: str) -> StaticFile | None:
        return self.files.get(path)

    async def respond(self, request: Request, file: StaticFile) -> Response:
        """The file, or 304 when the client has it."""
        headers = {
            "ETag": file.etag,
            "Last-Modified": file.modified,
            "Cache-Control": "no-cache",
            "Accept-Ranges": "none",
        }
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        headers |= {"Content-Type": file.media_type}
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(file.size)})
        if file.size > CHUNK_BYTES:
            return StreamingResponse(read_chunks(file.path), headers=headers)
        try:
            content = await anyio.Path(file.path).read_bytes()
        except FileNotFoundError:
            return not_found()
        return Response(content, headers=headers)


def build_index(folder: Path) -> dict[str, StaticFile]:
    """Every regular file below `folder`; a directory answers with its `index.html`, as in 0.13."""
    files: dict[str, StaticFile] = {}
    for parent, directories, names in os.walk(folder, followlinks=False):
        directories[:] = [d for d in directories if not (Path(parent) / d).is_symlink()]
        for name in names:
            path = Path(parent) / name
            if path.is_symlink() or not path.is_file():
                continue
            url = path.relative_to(folder).as_posix()
            files[url] = describe(path)
    for url, file in list(files.items()):
        if url == "index.html" or url.endswith("/index.html"):
            base = url.removesuffix("index.html")
            for alias in (base, base.rstrip("/"), f"{base}index"):
                files.setdefault(alias, file)
    return files


def describe(path: Path) -> StaticFile:
    found = path.stat()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type in ("application/javascript", "application/json"):
        media_type += "; charset=utf-8"
    etag = f'"{found.st_size:x}-{found.st_mtime_ns:x}"'
    return StaticFile(path, found.st_size, media_type, etag, formatdate(found.st_mtime, usegmt=True))


async def read_chunks(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while chunk := await file.read(CHUNK_BYTES):
            yield chunk
