"""What the pages and the generic routes know about the running server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic, time
from typing import Any

from bentoml.batching.cohort import MIN_SHARE
from bentoml.batching.queue import Request, Sink
from bentoml.batching.stats import ApiStats
from bentoml.bundle.descriptor import BundleDescriptor
from bentoml.settings import Settings
from bentoml.types import RequestHead

from .answers import AnswerHead
from .generation import Generation
from .hub import Hub


class AwaitingSink:
    """Takes the answer of a request that came over the plain ASGI route."""

    def __init__(self) -> None:
        self.done: asyncio.Future[tuple[AnswerHead, bytes]] = asyncio.get_running_loop().create_future()

    def answer(self, request: Request, head: AnswerHead, body: bytes | memoryview) -> None:
        if not self.done.done():
            self.done.set_result((head, bytes(body)))


class ServerState:
    """The running server, as its web application sees it."""

    def __init__(
        self, settings: Settings, hub: Hub, generation: Generation, metrics_dir: Path | None = None
    ) -> None:
        self.settings = settings
        self.hub = hub
        self.generation = generation
        self.metrics_dir = metrics_dir
        self.started_at = time()

    @property
    def descriptor(self) -> BundleDescriptor:
        return self.generation.descriptor

    @property
    def bundle_path(self) -> Path:
        return self.generation.path

    @property
    def stats(self) -> dict[str, ApiStats]:
        """Counters by route."""
        return {queue.route: queue.stats for queue in self.generation.queues}

    @property
    def is_draining(self) -> bool:
        return self.hub.draining

    @property
    def readme(self) -> str:
        """The class docstring, Markdown."""
        return str(self.generation.hello.get("readme", ""))

    def openapi(self) -> dict[str, Any] | None:
        """The document of the loaded service; None until a worker has loaded it."""
        document = self.generation.hello.get("openapi")
        return document if isinstance(document, dict) else None

    def is_ready(self) -> tuple[bool, str]:
        """Whether a prediction sent now would be served, and if not, why."""
        if self.hub.draining:
            return False, "the server is stopping"
        if self.generation.dispatcher.unavailable is not None:
            return False, self.generation.dispatcher.unavailable
        if not self.generation.supervisor.ready_count:
            return False, "no worker is ready"
        if self.generation.dispatcher.all_stuck():
            return False, "every worker is past the deadline of what it runs"
        return True, "ready"

    @property
    def rejected(self) -> dict[int, int]:
        """Requests refused for their head or framing, by status."""
        return self.hub.rejected

    def worker_table(self) -> list[dict[str, Any]]:
        return self.generation.supervisor.table()

    def queue_table(self) -> list[dict[str, Any]]:
        """One row an API: what waits, and the learned cost a + b n in seconds."""
        now = monotonic()
        rows = []
        for queue in self.generation.queues:
            head = queue.head()
            rows.append(
                {
                    "route": queue.route,
                    "waiting": queue.live,
                    "oldest_s": now - head.start if head is not None else 0.0,
                    "cost_fixed_s": queue.model.a,
                    "cost_per_request_s": queue.model.b,
                    "batches_seen": queue.model.count,
                    "trusted": queue.model.trusted,
                    "largest_batch": queue.cap,
                    "steady_batch": queue.steady,
                    "largest_batch_rows": queue.rows.most if queue.rows is not None else None,
                    "rows_per_byte": queue.rows.per_byte if queue.rows is not None else None,
                    "latency_goal_s": queue.goal_s,
                    "queue_limit": queue.limit,
                    "waits_for_returning_clients": queue.cohort.share >= MIN_SHARE,
                }
            )
        return rows

    def prediction_methods(self, route: str) -> tuple[str, ...] | None:
        """Methods of a prediction route; None when there is no such route."""
        found = self.hub.routes.get(b"/" + route.encode())
        return tuple(sorted(m.decode() for m in found.methods)) if found else None

    async def predict(
        self, route: str, raw_head: bytes, body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Run one prediction through the same queue as the fast path.

        Args:
            raw_head: `b"POST\\r\\nname: value\\r\\n…"`.

        Returns:
            status, header fields, body.
        """
        found = self.hub.routes[b"/" + route.encode()]
        timeout_s = found.queue.timeout_s
        asked = RequestHead(raw_head).headers.get("x-request-timeout-ms", "")
        if asked.isascii() and asked.isdigit():
            timeout_s = min(timeout_s, int(asked) / 1000)
        awaiting = AwaitingSink()
        now = monotonic()
        request_id = self.hub.ids.next()
        sink: Sink = awaiting
        if self.hub.tracer is not None:
            sink, raw_head = self.hub.tracer.enter(awaiting, found, raw_head)
        request = Request(sink, found.queue, raw_head, body, request_id, now, now + timeout_s)
        found.dispatcher.submit(request)
        try:
            head, answer = await awaiting.done
        except asyncio.CancelledError:
            found.dispatcher.forget(request)
            if self.hub.tracer is not None:
                self.hub.tracer.left(request)
            raise
        fields = [tuple(line.split(b": ", 1)) for line in head.lines.split(b"\r\n") if line]
        headers = [(name, value) for name, value in fields]
        return head.status, [*headers, (b"x-request-id", request_id)], answer
