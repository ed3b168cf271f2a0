"""A TCP proxy that cuts connections after so many bytes, as a bad network does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable


class CuttingProxy:
    """Forwards to a port of this machine; the n-th connection ends after `limits[n]` bytes both ways.

    Connections beyond the list are not cut. A limit of 0 closes a connection at once.

    Args:
        before_cut: called before a connection is cut, while nothing moves on it. What a server received
            and its handler has not read yet is lost with the connection, so a test that needs something
            to have arrived has to wait for it here.
    """

    def __init__(self, port: int, limits: list[int], before_cut: Callable[[], None] = lambda: None) -> None:
        self._port = port
        self._before_cut = before_cut
        self.limits = list(limits)
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                limit = self.limits.pop(0) if self.limits else None
                threading.Thread(target=self._serve, args=(client, limit), daemon=True).start()

    def _serve(self, client: socket.socket, limit: int | None) -> None:
        budget = [limit if limit is not None else 1 << 60]
        if limit == 0:
            self.cuts += 1
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self._port))
        ready = threading.Event()
        pumps = [
            threading.Thread(target=self._pump, args=(one, other, budget, ready), daemon=True)
            for one, other in ((client, server), (server, client))
        ]
        for pump in pumps:
            pump.start()

    def _pump(
        self, source: socket.socket, target: socket.socket, budget: list[int], ready: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                before, budget[0] = budget[0], budget[0] - len(data)
                if budget[0] <= 0:
                    if before > 0:
                        self._before_cut()
                        self.cuts += 1
                        ready.set()
                    ready.wait()
                    break
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class SlowProxy(CuttingProxy):
    """Forwards, slowly at first: a transfer can be met in its middle."""

    def __init__(self, port: int, pause_s: float = 0.05) -> None:
        super().__init__(port, [])
        self._pause_s = pause_s
        self.__enter__()

    def hurry(self) -> None:
        self._pause_s = 0.0

    def _pump(
        self, source: socket.socket, target: socket.socket, budget: list[int], ready: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                time.sleep(self._pause_s)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
