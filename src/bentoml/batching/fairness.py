"""Who is next when several APIs wait for the same workers: start-time fair queueing on service time.

Each API has a virtual time, the seconds of worker time it was given. The backlogged API with the
least is served next. An API that comes back from idleness starts level with the others: time it did
not use is not saved up.
"""

from __future__ import annotations

from collections.abc import Sequence

from .link import Batch
from .queue import ApiQueue


def join(queue: ApiQueue, queues: Sequence[ApiQueue]) -> None:
    """Called before the first request of an idle API is queued."""
    others = [q.virtual_time for q in queues if q.live and q is not queue]
    if others:
        queue.virtual_time = max(queue.virtual_time, min(others))


def charge(batch: Batch, queues: Sequence[ApiQueue]) -> None:
    """Charge a batch when it is cut, by its expected time, if somebody else waits for the worker."""
    queue = batch.queue
    if any(q.live and q is not queue for q in queues):
        batch.charged_s = expected_s(batch)
        queue.virtual_time += batch.charged_s


def settle(batch: Batch, took_s: float) -> None:
    """Replace the expected time of a finished batch by the real one."""
    batch.queue.virtual_time += took_s - batch.charged_s


def expected_s(batch: Batch) -> float:
    """How long the model of its API expects a batch to take; 0 before anything was measured."""
    model = batch.queue.model
    return model.predict(len(batch.requests)) if model.buckets else 0.0
