"""What the dispatcher sees of workers: the batches they hold, and how to hand them one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .queue import ApiQueue, Request

KILL_AFTER_S = 1.0


class Batch:
    """Requests that one worker holds. `charged_s` is the worker time its API was charged for it."""

    __slots__ = ("charged_s", "id", "kill_at", "link", "next_deadline", "queue", "requests", "sent_at")

    def __init__(
        self, batch_id: int, queue: ApiQueue, requests: list[Request], link: Link, now: float
    ) -> None:
        self.id = batch_id
        self.queue = queue
        self.requests = requests
        self.link = link
        self.sent_at = now
        self.charged_s = 0.0
        self.kill_at = now + queue.timeout_s + KILL_AFTER_S
        self.next_deadline = min(r.deadline for r in requests)


class Link(Protocol):
    """The dispatcher's view of one worker."""

    busy: Batch | None
    batches: dict[int, Batch]

    def load_of(self, api: int) -> int:
        """How many batches of this API it holds."""

    def send_call(
        self,
        api: int,
        batch: int,
        bodies: Sequence[Any],
        ids: Sequence[bytes],
        heads: Sequence[bytes],
        indexes: Sequence[int] | None,
    ) -> None:
        """Write one batch to the worker; never blocks."""

    def kill(self, why: str) -> None:
        """End a worker that does not answer."""


class Answered(Protocol):
    """A finished batch as it came back from a worker."""

    batch: int
    bodies: Sequence[bytes | memoryview]
    heads: Sequence[bytes]
    indexes: Sequence[int] | None
    times: tuple[float, float, float]
    rows: int
