"""What the dispatcher costs a request: submit, cut, answer; no socket and no worker process.

    python benchmarks/micro/dispatcher.py

Microseconds per request, best of several rounds, for batches of several sizes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from timing import block

from bentoml.batching.dispatcher import Dispatcher
from bentoml.batching.queue import ApiQueue, Request
from bentoml.workers.frames import Answers


class Head:
    status = 200


class Sink:
    def answer(self, request: Request, head: Any, body: Any) -> None:
        pass


class Worker:
    """A link that holds its batch until `finish`."""

    def __init__(self) -> None:
        self.busy: Any = None
        self.batches: dict[int, Any] = {}
        self.last: tuple[int, int] = (0, 0)

    def load_of(self, api: int) -> int:
        return len(self.batches)

    def kill(self, why: str) -> None:
        raise AssertionError(why)

    def send_call(self, api: int, batch: int, bodies: Any, ids: Any, heads: Any, indexes: Any) -> None:
        self.last = (batch, len(bodies))


class Bench:
    def __init__(self, size: int) -> None:
        self.size = size
        self.queue = ApiQueue("predict", 0, cap=4000, goal_s=20.0, timeout_s=60.0, limit=100_000)
        self.soon: deque[Callable[[], None]] = deque()
        head = Head()
        self.dispatcher = Dispatcher(
            [self.queue],
            self.soon.append,
            lambda delay, call: None,
            lambda raw: head,
            lambda status, retry: head,
        )
        self.worker = Worker()
        self.dispatcher.add_link(self.worker)
        self.queue.cohort.enabled = False
        self.sink = Sink()

    def run(self) -> None:
        submit, sink, queue = self.dispatcher.submit, self.sink, self.queue
        for _ in range(self.size):
            now = monotonic()
            submit(Request(sink, queue, b"POST\r\n", b"[1]", b"0" * 36, now, now + 60.0))
        while self.soon:
            self.soon.popleft()()
        batch, count = self.worker.last
        assert count == self.size
        answers = Answers(0, batch, [b"0"] * count, [b"\xc8\0"], None, (1e-5, 1e-4, 1e-5))
        self.dispatcher.batch_done(self.worker, answers)


if __name__ == "__main__":
    for size in (1, 10, 100, 1000):
        block("submit, cut, answer", size, {"dispatcher": Bench(size).run}, rounds=300)
