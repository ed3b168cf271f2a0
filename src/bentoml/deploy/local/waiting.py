"""Answers 503 on a deployment's port while no process of it can, so that no client hangs or is refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket

HEAD_LIMIT = 65536
BACKLOG = 2048
HEAD_TIMEOUT_S = 5.0
LINGER_S = 1.0
_BODY = b'{"error": "The service is starting; try again soon.", "code": "not_ready"}\n'
_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 2\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class WaitingRoom:
    """Accepts connections from a shared listening socket, as long as it is open."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                _refuse, sock=self._sock.dup(), limit=HEAD_LIMIT, backlog=BACKLOG
            )

    def close(self) -> None:
        """Accept no more; connections that were accepted get their answer."""
        if self._server is not None:
            self._server.close()
            self._server = None


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        with contextlib.suppress(asyncio.LimitOverrunError):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_TIMEOUT_S)
        writer.write(_ANSWER)
        await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        await asyncio.wait_for(_discard(reader), LINGER_S)  # closing with data unread would reset
    with contextlib.suppress(OSError):
        writer.close()


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(HEAD_LIMIT):
        pass
