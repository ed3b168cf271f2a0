"""A TCP proxy with the latency and the rate of a bad line, and small buffers: nothing hides in them."""

from __future__ import annotations

import contextlib
import queue
import random
import socket
import threading
import time

_PIECE_BYTES = 2048
_BUFFER_BYTES = 16 << 10


class SlowLink:
    """Forwards to a port of this machine.

    Args:
        rate: bytes a second, each way and for each connection.
        latency_s: how much later a byte arrives.
        cut_after: the n-th connection breaks after so many bytes, both ways together; later ones hold.
    """

    def __init__(
        self, port: int, rate: float, latency_s: float = 0.0, cut_after: tuple[int, ...] = ()
    ) -> None:
        self._port, self.rate, self._latency_s = port, rate, latency_s
        self._cuts = list(cut_after)
        self.connections = 0
        self.passed = 0
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> SlowLink:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                left = [self._cuts.pop(0) if self._cuts else 1 << 60]
                server = socket.socket()
                server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
                server.connect(("127.0.0.1", self._port))
                for one, other in ((client, server), (server, client)):
                    line: queue.Queue[tuple[float, bytes]] = queue.Queue(64)
                    for work in (self._take, self._give):
                        threading.Thread(target=work, args=(one, other, line, left), daemon=True).start()

    def _take(
        self,
        source: socket.socket,
        target: socket.socket,
        line: queue.Queue[tuple[float, bytes]],
        left: list[int],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE_BYTES):
                left[0] -= len(data)
                self.passed += len(data)
                if left[0] <= 0:
                    break
                time.sleep(len(data) / self.rate)
                line.put((time.monotonic() + self._latency_s, data))
        if left[0] <= 0:
            _end(source, target)
        line.put((0.0, b""))

    def _give(
        self,
        source: socket.socket,
        target: socket.socket,
        line: queue.Queue[tuple[float, bytes]],
        _left: list[int],
    ) -> None:
        with contextlib.suppress(OSError):
            while (item := line.get())[1]:
                time.sleep(max(0.0, item[0] - time.monotonic()))
                target.sendall(item[1])
        _end(source, target)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def random_cuts(seed: int, count: int, least: int, most: int) -> tuple[int, ...]:
    """Where connections break, the same ones for a seed."""
    chance = random.Random(seed)
    return tuple(chance.randint(least, most) for _ in range(count))
