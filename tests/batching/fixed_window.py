"""The opponent: batches cut by a fixed size and a fixed window, as most batching servers do it.

It is as good as that kind can be: it never waits while a full batch is there, starts counting at the
oldest request, and spends no worker time on a request that is late already. What it cannot do is
change its two numbers while it runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bentoml.batching.queue import DONE, SENT, ApiQueue, Request

if TYPE_CHECKING:
    from .simulation import Simulation


class Held:
    """Requests that one worker holds."""

    def __init__(self, queue: ApiQueue, requests: list[Request]) -> None:
        self.queue = queue
        self.requests = requests


class FixedWindow:
    """Takes the place of the dispatcher in a simulation of one API.

    Args:
        window_s: age of the oldest request at which a batch that is not full is cut.
        size: requests in a full batch.
        limit: requests that may wait; one more gets 429.
    """

    def __init__(self, sim: Simulation, window_s: float, size: int, limit: int) -> None:
        self.sim = sim
        self.window_s = window_s
        self.size = size
        self.limit = limit
        self.waiting: deque[Request] = deque()
        self.idle: list[Any] = []
        self._armed = False
        self._timer_at = float("inf")
        self._batches = 0

    def add_link(self, link: Any) -> None:
        self.idle.append(link)

    def submit(self, request: Request) -> None:
        if len(self.waiting) >= self.limit:
            self._answer([request], 429)
            return
        self.waiting.append(request)
        if not self._armed:
            self._armed = True
            self.sim.soon(self._tick)

    def batch_done(self, link: Any, reply: Any) -> None:
        held = link.batches.pop(reply.batch)
        self.idle.append(link)
        self._tick()
        self._answer(held.requests, 200)

    def _tick(self) -> None:
        self._armed = False
        while self.idle and self.waiting:
            self._drop_late()
            if not self.waiting:
                return
            due = self.waiting[0].start + self.window_s
            if len(self.waiting) < self.size and self.sim.now < due - 1e-9:
                self._wait_until(due)
                return
            self._cut()

    def _wait_until(self, due: float) -> None:
        if self._timer_at <= self.sim.now or due < self._timer_at:
            self._timer_at = due
            self.sim.later(due - self.sim.now, self._tick)

    def _drop_late(self) -> None:
        late = []
        while self.waiting and self.waiting[0].goal <= self.sim.now:
            late.append(self.waiting.popleft())
        self._answer(late, 504)

    def _cut(self) -> None:
        requests = [self.waiting.popleft() for _ in range(min(self.size, len(self.waiting)))]
        for request in requests:
            request.state = SENT
        link = self.idle.pop(0)
        self._batches += 1
        link.batches[self._batches] = Held(requests[0].queue, requests)
        bodies = [b""] * len(requests)
        link.send_call(0, self._batches, bodies, bodies, [b"h"], None)

    def _answer(self, requests: Sequence[Request], status: int) -> None:
        head = self.sim.head(status)
        for request in requests:
            request.state = DONE
            request.sink.answer(request, head, b"")
