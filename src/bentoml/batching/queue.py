"""What waits for one API: requests in the order they came, and what is known about the API.

A request is a small record, not a task or a future: the front answers it through its `sink`.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from .cohort import Cohort
from .cost_model import CostModel
from .stats import ApiStats

WAITING, SENT, DONE = range(3)


class AnswerHead(Protocol):
    """What the answers of one kind share: the status, and bytes that start the response."""

    status: int


class Sink(Protocol):
    """Where an answer goes: an HTTP connection, or an awaiting coroutine."""

    def answer(self, request: Request, head: Any, body: bytes) -> None: ...


class Request:
    """One admitted request. Times are monotonic seconds.

    Attributes:
        head: method and header lines, as they cross to the worker.
        id: 36 ASCII bytes.
        goal: when it should be answered (`mb_max_latency`); decides admission and batch sizes.
        deadline: when it is answered with 504 if nothing else came.
        tries: workers that held it when they died.
    """

    __slots__ = ("body", "deadline", "goal", "head", "id", "queue", "sink", "start", "state", "tag", "tries")

    def __init__(
        self,
        sink: Sink,
        queue: ApiQueue,
        head: bytes,
        body: bytes,
        request_id: bytes,
        start: float,
        deadline: float,
        tag: Any = None,
    ) -> None:
        self.sink = sink
        self.queue = queue
        self.head = head
        self.body = body
        self.id = request_id
        self.start = start
        self.goal = min(deadline, start + queue.goal_s)
        self.deadline = deadline
        self.state = WAITING
        self.tries = 0
        self.tag = tag


class ApiQueue:
    """The queue of one API, oldest first, with its limits, cost model and counters.

    Args:
        index: position of the API in the service; names it in frames.
        cap: most requests in one batch; 1 for an API without batching.
        goal_s: `mb_max_latency` in seconds.
        slots: batches one worker may hold at once (above 1 for async and thread-safe APIs).
        limit: most requests that may wait.
    """

    def __init__(
        self,
        route: str,
        index: int,
        *,
        cap: int,
        goal_s: float,
        timeout_s: float,
        limit: int,
        slots: int = 1,
        idempotent: bool = False,
    ) -> None:
        self.route = route
        self.index = index
        self.cap = cap
        self.goal_s = goal_s
        self.timeout_s = timeout_s
        self.limit = limit
        self.slots = slots
        self.idempotent = idempotent
        self.own_lane = slots > 1
        self.waiting: deque[Request] = deque()
        self.live = 0
        self.arrivals = 0
        self.virtual_time = 0.0
        self.promised = 0.0
        self.safe_live = limit
        self.model = CostModel()
        self.cohort = Cohort(enabled=cap > 1)
        self.stats = ApiStats(route)

    def append(self, request: Request) -> None:
        self.waiting.append(request)
        self.live += 1
        self.arrivals += 1

    def put_back(self, requests: list[Request]) -> None:
        """Return requests to the head of the queue, in their old order."""
        for request in reversed(requests):
            request.state = WAITING
            self.waiting.appendleft(request)
        self.live += len(requests)

    def forget(self, request: Request) -> None:
        """Its client is gone: if it still waits, the next cut throws it away; a worker's answer too."""
        if request.state == WAITING:
            self.live -= 1
        if request.state != DONE:
            request.state = DONE
            self.stats.dropped += 1
            self.stats.in_progress -= 1

    def head(self) -> Request | None:
        """The oldest request that still waits."""
        waiting = self.waiting
        while waiting and waiting[0].state != WAITING:
            waiting.popleft()
        return waiting[0] if waiting else None

    def take(self, count: int) -> list[Request]:
        """Remove up to `count` live requests, oldest first."""
        taken: list[Request] = []
        waiting = self.waiting
        while waiting and len(taken) < count:
            request = waiting.popleft()
            if request.state == WAITING:
                request.state = SENT
                taken.append(request)
        self.live -= len(taken)
        return taken

    def take_expired(self, now: float) -> list[Request]:
        """Remove the requests at the head whose deadline has passed."""
        expired: list[Request] = []
        head = self.head()
        while head is not None and head.deadline <= now:
            expired += self.take(1)
            head = self.head()
        return expired
