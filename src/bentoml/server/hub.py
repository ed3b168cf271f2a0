"""What all connections share: the routes, the limits, the clock and the heads seen before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bentoml.batching.dispatcher import Dispatcher
from bentoml.batching.queue import ApiQueue
from bentoml.settings import ServerSettings
from bentoml.workers.slab import SHARED_FROM_BYTES, SharedBody, Slab

from .answers import AnswerHeads
from .request_ids import RequestIds

if TYPE_CHECKING:
    from .tracing import Tracer

MEMO_ENTRIES = 4096
MEMO_HEAD_BYTES = 1024


@dataclass(slots=True)
class Route:
    """One prediction route: where its requests queue, and the methods it takes.

    `api` is the name of its API, `bundle` the tag of the bundle that serves it.
    """

    queue: ApiQueue
    dispatcher: Dispatcher
    methods: frozenset[bytes]
    api: str = ""
    bundle: str = ""


@dataclass(slots=True)
class KnownHead:
    """A head that was parsed and found good before; equal bytes mean the same again.

    Attributes:
        length: bytes of the body that follows.
        raw: method and header lines, as they cross to a worker.
        timeout_s: until 504.
    """

    route: Route
    length: int
    raw: bytes
    timeout_s: float
    priority: int = 0


def raw_fields(method: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A head as it crosses to a worker: the method, then a line for each header field."""
    return b"%b\r\n%b" % (method, b"".join(b"%b: %b\r\n" % pair for pair in fields))


@dataclass(slots=True)
class Hub:
    """Shared by every connection of a front.

    Attributes:
        routes: by request target as sent (`b"/predict"`).
        memo: known heads by their exact bytes, blank line included. Entries hold whatever the
            client sent, credentials too, so this is never logged or shown.
        rejected: requests refused before they had a route, by status.
        cors: whether answers to other origins differ.
        draining: set when the server is stopping: answers say `Connection: close`.
        refused: connections over `max_connections` that are being told so.
        second: coarse clock for the timeouts of connections.
        slab: where large bodies are kept, None where the system has no shared memory.
        tracer: makes spans of requests, None when tracing is off.
    """

    limits: ServerSettings
    heads: AnswerHeads = field(default_factory=AnswerHeads)
    ids: RequestIds = field(default_factory=RequestIds)
    routes: dict[bytes, Route] = field(default_factory=dict)
    memo: dict[bytes, KnownHead] = field(default_factory=dict)
    seen_once: set[int] = field(default_factory=set)
    rejected: dict[int, int] = field(default_factory=dict)
    cors: bool = False
    draining: bool = False
    second: int = 0
    max_connections: int = 1 << 30
    refused: int = 0
    slab: Slab | None = None
    tracer: Tracer | None = None

    def large_body(self, length: int) -> SharedBody | None:
        """A place in shared memory for a body of this length, if it is large and there is room."""
        if self.slab is None or length < SHARED_FROM_BYTES:
            return None
        return self.slab.take(length)

    def set_routes(self, routes: dict[bytes, Route]) -> None:
        """Point every connection at new queues, from the next request on."""
        self.routes = routes
        self.memo.clear()
        self.seen_once.clear()

    def current(self, route: Route) -> Route:
        """The route to use for a request that began when `route` was right; a newer version may serve."""
        if route.dispatcher.unavailable is None:
            return route
        return self.routes.get(f"/{route.queue.route}".encode(), route)

    def remember(self, head: bytes, start: bytes, fields: int, known: KnownHead) -> None:
        """Keep a good head from its second sighting on, so that odd clients cannot flood the memo.

        Args:
            head: bytes up to and including the blank line.
            start: the request line they must begin with.
            fields: number of header fields the parser found in them.
        """
        lines = head.count(b"\r\n")
        if len(head) > MEMO_HEAD_BYTES or not head.startswith(start):
            return
        if lines != fields + 2 or head.count(b"\n") != lines:
            return
        key = hash(head)
        if key not in self.seen_once:
            if len(self.seen_once) >= MEMO_ENTRIES:
                self.seen_once.clear()
            self.seen_once.add(key)
            return
        if len(self.memo) >= MEMO_ENTRIES:
            self.memo.clear()
        self.memo[head] = known
