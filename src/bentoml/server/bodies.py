"""Read a request body within limits of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import Request


class BodyRefused(Exception):
    """The body was not read to its end; the connection cannot be used for another request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """The whole body.

    Raises:
        BodyRefused: 413 when it is longer than `max_bytes`, 408 when it took longer than `timeout_s`,
            400 when its announced length is no number.
        starlette.requests.ClientDisconnect: the client went away.
    """
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()):
        raise BodyRefused(400, "Content-Length must be a decimal number")
    if int(announced[:20]) > max_bytes:
        raise too_large(max_bytes)
    try:
        return await asyncio.wait_for(_collect(request, max_bytes), timeout_s)
    except asyncio.TimeoutError:
        raise BodyRefused(408, "Request Timeout: the body took too long") from None


async def _collect(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large(max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def too_large(max_bytes: int) -> BodyRefused:
    return BodyRefused(413, f"the request body is over the limit of {max_bytes} bytes")
