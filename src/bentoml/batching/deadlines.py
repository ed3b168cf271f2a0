"""Which requests are past their deadline, in a queue and in the hands of a worker."""

from __future__ import annotations

from .link import Batch
from .queue import SENT, ApiQueue, Request


def late_in_queue(queue: ApiQueue, now: float) -> list[Request]:
    """Take the requests whose deadline has passed out of a queue."""
    if not queue.live:
        return []
    late = [request for request in queue.waiting() if request.deadline <= now]
    for request in late:
        request.state = SENT
    queue.live -= len(late)
    return late


def late_in_batch(batch: Batch, now: float) -> list[Request]:
    """The unanswered requests of a running batch whose deadline has passed; notes when to look again."""
    if batch.next_deadline > now:
        return []
    open_requests = [request for request in batch.requests if request.state == SENT]
    later = [request.deadline for request in open_requests if request.deadline > now]
    batch.next_deadline = min(later, default=float("inf"))
    return [request for request in open_requests if request.deadline <= now]
