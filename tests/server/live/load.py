"""Many clients at once, on one event loop in a thread of its own, and what became of each request."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .wire import JSON, request

LOST = 0
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Outcome:
    """One request: `status` is `LOST` when a complete request got no complete answer.

    Attributes:
        sent_at: monotonic seconds, when its last byte was written.
        idle_s: how long its connection had been unused before; 0 on a new one.
    """

    index: int
    sent_at: float
    took_s: float
    status: int
    idle_s: float = 0.0
    retry_after: str | None = None
    body: bytes = b""


class Load:
    """`connections` clients that together send `rate` requests a second, in an open loop.

    A client sends its next request when it is due and the last one is answered, so answers that take
    longer than `connections / rate` seconds lower the rate.

    Args:
        make: the bytes of the n-th request.
    """

    def __init__(
        self, port: int, connections: int, rate: float, make: Callable[[int], bytes] | None = None
    ) -> None:
        self.port = port
        self.connections = connections
        self.rate = rate
        self.make = make or (lambda i: request("/echo", b"%d" % i, headers=JSON))
        self.outcomes: list[Outcome] = []
        self.refused = 0
        self._indexes = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()),
            daemon=True,  # a test that failed does not wait for its clients
        )

    def start(self) -> Load:
        self._thread.start()
        return self

    def stop(self) -> list[Outcome]:
        """Let every request that was sent get its answer; then all outcomes, in the order of sending."""
        self._stop.set()
        self._thread.join(PATIENCE_S + 10)
        assert not self._thread.is_alive(), "a client hangs"
        return sorted(self.outcomes, key=lambda outcome: outcome.sent_at)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(i) for i in range(self.connections)))

    async def _client(self, place: int) -> None:
        loop = asyncio.get_running_loop()
        pause = self.connections / self.rate
        due = loop.time() + place / self.rate
        wire: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        used_at = 0.0
        while not self._stop.is_set():
            await asyncio.sleep(max(0.0, min(due - loop.time(), 0.1)))
            if loop.time() < due:
                continue
            due = max(due + pause, loop.time() - pause)
            if wire is None:
                try:
                    wire = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    self.refused += 1
                    continue
                used_at = 0.0
            index, now = next(self._indexes), time.monotonic()
            idle_s = now - used_at if used_at else 0.0
            outcome, close = await _exchange(*wire, self.make(index), index, idle_s)
            self.outcomes.append(outcome)
            used_at = time.monotonic()
            if close:
                wire[1].close()
                wire = None
        if wire is not None:
            wire[1].close()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, index: int, idle_s: float
) -> tuple[Outcome, bool]:
    sent_at = time.monotonic()
    try:
        writer.write(data)
        await writer.drain()
        sent_at = time.monotonic()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await asyncio.wait_for(reader.readexactly(int(fields[b"content-length"])), PATIENCE_S)
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        return Outcome(index, sent_at, time.monotonic() - sent_at, LOST, idle_s), True
    retry = fields.get(b"retry-after")
    took_s = time.monotonic() - sent_at
    found = Outcome(
        index, sent_at, took_s, int(head.split(b" ")[1]), idle_s, retry.decode() if retry else None, body
    )
    return found, fields.get(b"connection") == b"close"


@contextlib.contextmanager
def under_load(
    port: int, connections: int, rate: float, make: Callable[[int], bytes] | None = None
) -> Iterator[Load]:
    """Load for the time of a block; it is stopped, not judged, when the block ends."""
    load = Load(port, connections, rate, make).start()
    try:
        yield load
    finally:
        load.stop()


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
