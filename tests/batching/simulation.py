"""A service on a simulated clock: the real dispatcher, a front with costs, workers that take t(n)."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Protocol

from bentoml.batching.dispatcher import Dispatcher
from bentoml.batching.queue import ApiQueue, Request

Cost = Callable[[int, int], float]


class Head:
    def __init__(self, status: int) -> None:
        self.status = status


class Reply:
    """What a worker returns, in the shape the dispatcher reads. A row is a byte of a body here."""

    def __init__(self, batch: int, size: int, seconds: float, rows: int = 0) -> None:
        self.batch = batch
        self.bodies = [b""] * size
        self.heads = [b"ok"]
        self.indexes = None
        self.times = (0.0, seconds, 0.0)
        self.rows = rows


class Policy(Protocol):
    """What decides when a batch is cut: the real dispatcher, or one to compare it with."""

    def submit(self, request: Request) -> None: ...
    def add_link(self, link: Any) -> None: ...
    def batch_done(self, link: Any, answers: Any) -> None: ...


class Simulation:
    """Discrete events in seconds. The front is serial: every request costs `read_s` and `write_s`.

    Args:
        other: makes a policy that takes the dispatcher's place.
    """

    def __init__(
        self,
        queues: Sequence[ApiQueue],
        cost: Cost,
        workers: int = 1,
        read_s: float = 8e-6,
        write_s: float = 7e-6,
        hand_over_s: float = 40e-6,
        other: Callable[[Simulation], Policy] | None = None,
    ) -> None:
        self.now = 0.0
        self.read_s, self.write_s, self.hand_over_s = read_s, write_s, hand_over_s
        self.cost = cost
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._soon: list[Callable[[], None]] = []
        self._order = count()
        self.batches: list[tuple[float, int, list[Request]]] = []
        self.statuses: dict[int, int] = {}
        self.latencies: list[float] = []
        self.dispatcher = Dispatcher(
            queues,
            self._soon.append,
            self.later,
            lambda raw: Head(200),
            lambda status, retry: Head(status),
            clock=lambda: self.now,
        )
        self.policy: Policy = other(self) if other is not None else self.dispatcher
        self.links = [Worker(self) for _ in range(workers)]
        for link in self.links:
            self.policy.add_link(link)

    def soon(self, run: Callable[[], None]) -> None:
        self._soon.append(run)

    def head(self, status: int) -> Head:
        return Head(status)

    def later(self, delay: float, run: Callable[[], object]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), run))

    def run(self, until: float) -> None:
        """One turn of the loop handles all events that are due, then what was called soon."""
        while self.now < until:
            soon, self._soon[:] = list(self._soon), []
            for run in soon:
                run()
            if self._soon:
                self.now += 2e-5  # a turn of a busy loop takes time
                if not self._events or self._events[0][0] > self.now:
                    continue
            if not self._events or self._events[0][0] > until:
                if self._soon:
                    continue
                return
            self.now = max(self.now, self._events[0][0])
            due = []
            while self._events and self._events[0][0] <= self.now:
                due.append(heapq.heappop(self._events)[2])
            for handle in due:  # what becomes due while these run belongs to the next turn
                handle()

    def send(
        self,
        queue: ApiQueue,
        on_answer: Callable[[Request, int], None],
        timeout_s: float = 60.0,
        body: bytes = b"",
    ) -> Request:
        """A request arrives now."""
        self.now += self.read_s
        start = self.now
        request = Request(Sink(self, on_answer), queue, b"h", body, b"%036d" % 0, start, start + timeout_s)
        self.policy.submit(request)
        return request


class Sink:
    def __init__(self, sim: Simulation, on_answer: Callable[[Request, int], None]) -> None:
        self.sim = sim
        self.on_answer = on_answer

    def answer(self, request: Request, head: Head, body: bytes) -> None:
        sim = self.sim
        sim.now += sim.write_s
        sim.statuses[head.status] = sim.statuses.get(head.status, 0) + 1
        sim.latencies.append(sim.now - request.start)
        self.on_answer(request, head.status)


class Worker:
    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.busy: Any = None
        self.batches: dict[int, Any] = {}
        self.killed = False

    def load_of(self, api: int) -> int:
        return sum(b.queue.index == api for b in self.batches.values())

    def send_call(self, api: int, batch: int, bodies: Any, ids: Any, heads: Any, indexes: Any) -> None:
        seconds = self.sim.cost(api, len(bodies))
        requests = self.batches[batch].requests
        self.sim.batches.append((self.sim.now, api, list(requests)))
        reply = Reply(batch, len(bodies), seconds, sum(map(len, bodies)))
        total = seconds + 2 * self.sim.hand_over_s
        self.sim.later(total, lambda: self.sim.policy.batch_done(self, reply))

    def kill(self, why: str) -> None:
        self.killed = True


def queue(
    cap: int = 1000, goal_s: float = 20.0, limit: int = 100_000, index: int = 0, **options: Any
) -> ApiQueue:
    return ApiQueue(f"api{index}", index, cap=cap, goal_s=goal_s, timeout_s=60.0, limit=limit, **options)


def closed_loop(clients: int, cost: Cost, seconds: float, *, cohort: bool = True) -> Simulation:
    """`clients` that each send again about 40 us after their answer, and did not start together."""
    rng = random.Random(7)
    api = queue()
    api.cohort.enabled = cohort
    sim = Simulation([api], cost)

    def client(_request: Request | None = None, _status: int = 200) -> None:
        sim.later(rng.uniform(30e-6, 50e-6), lambda: sim.send(api, client))

    for _i in range(clients):
        sim.later(rng.uniform(0, 0.02), client)
    sim.run(seconds)
    return sim
