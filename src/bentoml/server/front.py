"""The HTTP server: uvicorn's, with our stopping, our clock and our sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Generator
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from bentoml.exceptions import BentoMLException
from bentoml.settings import Settings
from bentoml.workers.allocator import IdleMemory, keep_freed_memory

from .drain import accept_backlog, finish_connections
from .generation import Generation
from .hub import Hub
from .protocol import PredictionProtocol

logger = logging.getLogger("bentoml.server")

TICKS_PER_SECOND = 10
HANDLED = (signal.SIGINT, signal.SIGTERM)


def bind(host: str, port: int, backlog: int) -> socket.socket:
    """A listening socket. Raises `BentoMLException` that says what to do when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as err:
        raise BentoMLException(
            f"cannot listen on {host}:{port}: {os.strerror(err.errno) if err.errno else err}. "
            "Is another server running there? Choose a free port with --port (0 takes any)."
        ) from err
    sock.setblocking(False)
    return sock


class Front(uvicorn.Server):
    """Serves connections until a signal, then stops without losing a request.

    Args:
        ends_process: nothing but the end of the process follows `serve_on`.

    Attributes:
        generation: the workers that serve now.
    """

    def __init__(self, app: Any, settings: Settings, hub: Hub, *, ends_process: bool = False) -> None:
        server = settings.server
        config = uvicorn.Config(
            app,
            http=partial(PredictionProtocol, hub),  # type: ignore[arg-type]
            loop="auto",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            backlog=server.backlog,
            timeout_keep_alive=max(1, int(server.keep_alive_s)),
            server_header=False,
            headers=[("server", "bentoml")],
            proxy_headers=False,
        )
        super().__init__(config)
        self.settings = settings
        self.hub = hub
        self.generation: Generation | None = None
        self._sockets: list[socket.socket] = []
        self._ends_process = ends_process
        self._memory: IdleMemory | None = None

    async def serve_on(self, sockets: list[socket.socket]) -> None:
        """Serve until told to stop. Returns normally, also after a signal."""
        self._sockets = sockets
        if self.settings.server.keep_memory and keep_freed_memory():
            self._memory = IdleMemory()
        with self.capture_signals():
            await self._serve(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Our signal handling: the first ends gracefully with exit code 0, the second at once.

        Where the process ends next, later ones are ignored until it has: the default handler would
        turn a clean end into a death by signal, and Python puts it back while it shuts down.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if self._ends_process else handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        else:
            self.hub.draining = True
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        stop = await super().on_tick(counter)
        if counter % TICKS_PER_SECOND == 0:
            self.hub.heads.set_common(self.server_state.default_headers)
            self._check_connections()
            if self._memory is not None:
                self._memory.look(self._sent())
        return stop

    def _check_connections(self) -> None:
        """Advance the coarse clock and end connections that are too slow."""
        self.hub.second += 1
        for connection in self._connections():
            connection.check_time()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        hub, server = self.hub, self.settings.server
        hub.draining = True
        logger.info("Stopping: finishing %d requests.", self._in_progress())
        await self._pause(server.drain_delay_s)
        while await accept_backlog(self._sockets, self._protocol):
            pass
        for listener in self.servers:
            listener.close()
        for sock in self._sockets:
            sock.close()
        await finish_connections(
            self._connections, server.grace_s, lambda: self.force_exit, self._check_connections
        )
        left = self._in_progress()
        if left:
            logger.warning("Stopping with %d unfinished requests after %g s.", left, server.grace_s)
        if self.generation is not None:
            await self.generation.stop("the server is stopping", 0.2 if self.force_exit else 2.0)
        await asyncio.sleep(0)
        for connection in self._connections():
            connection.transport.close()

    async def _pause(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not self.force_exit:
            await asyncio.sleep(0.05)

    def _sent(self) -> int:
        """Requests that workers were given."""
        return sum(link.requests for link in self.generation.supervisor.links) if self.generation else 0

    def _in_progress(self) -> int:
        return self.generation.dispatcher.in_progress if self.generation is not None else 0

    def _connections(self) -> list[PredictionProtocol]:
        return [c for c in self.server_state.connections if isinstance(c, PredictionProtocol)]

    def _protocol(self) -> asyncio.Protocol:
        return PredictionProtocol(self.hub, self.config, self.server_state, {})
