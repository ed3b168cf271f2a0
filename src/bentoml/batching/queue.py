"""What waits for one API: requests in the order they came, and what is known about the API.

A request is a small record, not a task or a future: the front answers it through its `sink`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

from .cohort import Cohort
from .cost_model import CostModel
from .rows import RowLimit
from .stats import ApiStats

WAITING, SENT, DONE = range(3)
LOWER_LEADS_EVERY = 8


class AnswerHead(Protocol):
    """What the answers of one kind share: the status, and bytes that start the response."""

    status: int


class Sink(Protocol):
    """Where an answer goes: an HTTP connection, or an awaiting coroutine."""

    def answer(self, request: Request, head: Any, body: bytes | memoryview) -> None: ...


class Request:
    """One admitted request. Times are monotonic seconds.

    Attributes:
        head: method and header lines, as they cross to the worker.
        body: its bytes, or where they are in memory shared with the workers.
        id: 36 ASCII bytes.
        goal: when it should be answered (`mb_max_latency`); decides admission and batch sizes.
        deadline: when it is answered with 504 if nothing else came.
        priority: its class, 0 is the highest.
        tries: workers that held it when they died.
    """

    __slots__ = (
        "body",
        "deadline",
        "goal",
        "head",
        "id",
        "priority",
        "queue",
        "sink",
        "start",
        "state",
        "tag",
        "tries",
    )

    def __init__(
        self,
        sink: Sink,
        queue: ApiQueue,
        head: bytes,
        body: Any,
        request_id: bytes,
        start: float,
        deadline: float,
        priority: int = 0,
    ) -> None:
        self.sink = sink
        self.queue = queue
        self.head = head
        self.body = body
        self.id = request_id
        self.start = start
        goal = start + queue.goal_s
        self.goal = goal if goal < deadline else deadline
        self.deadline = deadline
        self.state = WAITING
        self.tries = 0
        self.priority = priority
        self.tag: Any = None


class ApiQueue:
    """The queue of one API, oldest first, with its limits, cost model and counters.

    Args:
        index: position of the API in the service; names it in frames.
        cap: most requests in one batch; 1 for an API without batching.
        goal_s: `mb_max_latency` in seconds.
        slots: batches one worker may hold at once (above 1 for async and thread-safe APIs).
        limit: most requests that may wait.
        classes: number of priority classes; class 0 is served first.
        most_rows: most rows in one batch, where requests carry several; None for no such limit.
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
        classes: int = 1,
        most_rows: int | None = None,
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
        self.lanes: list[deque[Request]] = [deque() for _ in range(classes)]
        self.live = 0
        self.arrivals = 0
        self.virtual_time = 0.0
        self.promised = 0.0
        self._cuts_since_lower = 0
        self.safe_live = limit
        self.steady = cap  # batch that can follow its like for ever within the goal, see `cut`
        self.answering_s = 0.0  # from the end of a batch to its last answer
        self.apart_until = 0.0  # see `spacing`
        self.caution_s = 0.0  # admission leaves so much room, see `cut.note_drops`
        self.rows = RowLimit(most_rows) if most_rows else None
        self.model = CostModel()
        self.cohort = Cohort(enabled=cap > 1)
        self.stats = ApiStats(route)

    def append(self, request: Request) -> None:
        self.lanes[request.priority].append(request)
        self.live += 1
        self.arrivals += 1

    def put_back(self, requests: list[Request]) -> None:
        """Return requests to the heads of their lanes, in their old order."""
        for request in reversed(requests):
            request.state = WAITING
            self.lanes[request.priority].appendleft(request)
        self.live += len(requests)

    def waiting(self) -> Iterator[Request]:
        """What waits, in no particular order across classes."""
        return (r for lane in self.lanes for r in lane if r.state == WAITING)

    def evict_below(self, priority: int) -> Request | None:
        """Take out the youngest request of the lowest class, if that is lower than `priority`."""
        for lane in reversed(self.lanes[priority + 1 :]):
            while lane:
                request = lane.pop()
                if request.state == WAITING:
                    request.state = SENT
                    self.live -= 1
                    return request
        return None

    def forget(self, request: Request) -> None:
        """Its client is gone: if it still waits, the next cut throws it away; a worker's answer too."""
        if request.state == WAITING:
            self.live -= 1
        if request.state != DONE:
            request.state = DONE
            self.stats.dropped += 1
            self.stats.in_progress -= 1

    def head(self, now: float | None = None) -> Request | None:
        """The request that leads the next cut: the oldest of the highest class that has one.

        A lower class leads at times, when its oldest has used half of its goal (`now` given): at most
        every `LOWER_LEADS_EVERY`th cut.
        """
        heads = [head for head in map(_first_live, self.lanes) if head is not None]
        if not heads:
            return None
        if now is not None and len(heads) > 1:
            self._cuts_since_lower += 1
            late = [h for h in heads[1:] if now - h.start > 0.5 * self.goal_s]
            if late and self._cuts_since_lower >= LOWER_LEADS_EVERY:
                self._cuts_since_lower = 0
                return late[0]
        return heads[0]

    def take(
        self, count: int, first: int = 0, now: float = float("-inf"), late: list[Request] | None = None
    ) -> list[Request]:
        """Remove up to `count` live requests: of class `first`, then of the others, each oldest first.

        Those whose deadline has passed by `now` are removed too, into `late`, and do not count.
        """
        taken: list[Request] = []
        overdue: list[Request] = []
        for lane in self._order(first):
            while lane and len(taken) < count:
                request = lane.popleft()
                if request.state == WAITING:
                    request.state = SENT
                    (taken if request.deadline > now else overdue).append(request)
        self.live -= len(taken) + len(overdue)
        if late is not None:
            late += overdue
        return taken

    def in_order(self, first: int = 0) -> Iterator[Request]:
        """What waits, in the order in which `take` removes it."""
        return (r for lane in self._order(first) for r in lane if r.state == WAITING)

    def _order(self, first: int) -> list[deque[Request]]:
        lanes = self.lanes
        return [lanes[first], *lanes[:first], *lanes[first + 1 :]] if first else lanes

    def take_expired(self, now: float) -> list[Request]:
        """Remove the requests at the heads whose deadline has passed."""
        expired: list[Request] = []
        for lane in self.lanes:
            head = _first_live(lane)
            while head is not None and head.deadline <= now:
                lane.popleft()
                head.state = SENT
                self.live -= 1
                expired.append(head)
                head = _first_live(lane)
        return expired


def _first_live(lane: deque[Request]) -> Request | None:
    """The oldest request of a lane that still waits; tombstones before it are thrown away."""
    while lane and lane[0].state != WAITING:
        lane.popleft()
    return lane[0] if lane else None
