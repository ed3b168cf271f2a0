"""The server's own HTTP protocol without a socket: bytes in, the requests it saw out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from bentoml.batching.queue import ApiQueue, Request
from bentoml.server.hub import Hub, Route
from bentoml.server.protocol import PredictionProtocol
from bentoml.settings import ServerSettings

TARGETS = (b"/a", b"/b", b"/a?x=1")
METHODS = (b"GET", b"POST", b"PUT")


class Wire(asyncio.Transport):
    """Keeps what is written; nothing is ever unread."""

    def __init__(self) -> None:
        super().__init__()
        self.out = bytearray()
        self.closing = False

    def write(self, data: Any) -> None:
        self.out += data

    def writelines(self, list_of_data: Any) -> None:
        self.out += b"".join(list_of_data)

    def write_eof(self) -> None:
        self.closing = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class AnswersAtOnce:
    """A dispatcher whose model is instant."""

    unavailable = None

    def __init__(self, seen: list[tuple[bytes, bytes]], hub: Hub) -> None:
        self.seen = seen
        self.head = hub.heads.of_error(200, None)

    def submit(self, request: Request) -> None:
        self.seen.append((request.head.partition(b"\r\n")[0], request.body))
        request.sink.answer(request, self.head, b"{}")


@dataclass
class Read:
    """What became of some bytes.

    Attributes:
        requests: (method, body) of each request that was taken.
        status: of the refusal that ended the connection, 0 if none did.
        message: what the refusal says.
    """

    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    status: int = 0
    message: str = ""


class Server:
    """Reads one connection after the other. Use it on a running event loop."""

    def __init__(self) -> None:
        self._seen: list[tuple[bytes, bytes]] = []
        self.hub = Hub(ServerSettings())
        dispatcher = AnswersAtOnce(self._seen, self.hub)
        queue = ApiQueue("a", 0, cap=1, goal_s=1, timeout_s=60, limit=100)
        route = Route(queue, dispatcher, frozenset(METHODS))  # type: ignore[arg-type]
        self.hub.set_routes({target.partition(b"?")[0]: route for target in TARGETS})
        self._config = uvicorn.Config(self._app, lifespan="off", log_config=None, interface="asgi3")
        self._config.load()

    async def read(self, *pieces: bytes) -> Read:
        """Feed a connection, piece by piece, to its end."""
        self._seen.clear()
        rejected = dict(self.hub.rejected)
        wire = Wire()
        state = ServerState()
        protocol = PredictionProtocol(self.hub, self._config, state, {})
        protocol.connection_made(wire)
        for piece in pieces:
            if not wire.closing:
                protocol.data_received(piece)
        for _ in range(20):
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        for _ in range(100):
            if not state.tasks:
                break
            await asyncio.sleep(0)
        new = [status for status, count in self.hub.rejected.items() if count > rejected.get(status, 0)]
        message = bytes(wire.out).rpartition(b"\r\n\r\n")[2].decode("latin-1") if new else ""
        return Read(list(self._seen), new[0] if new else 0, message)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self._seen.append((scope["method"].encode(), body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
