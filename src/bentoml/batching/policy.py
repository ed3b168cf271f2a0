"""The decisions of the batcher, as functions of what they look at: no clock, no sockets, no sleep.

Admission is optimistic (only a request that is more likely late than not is refused), the cut is
pessimistic (the batch is no larger than what lets its oldest member meet its goal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from .queue import ApiQueue

MAX_RETRY_S = 30


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is turned away, and when it is worth coming back."""

    status: int
    reason: str
    message: str
    retry_after_s: int


def admit(queue: ApiQueue, goal: float, free_at: Sequence[float], now: float) -> Refusal | None:
    """None to let a request in, else why not.

    Args:
        goal: when the request should be answered, monotonic seconds.
        free_at: when each worker is expected to be free (`now` or earlier for an idle one).
    """
    if queue.live == 0:
        return None  # always a probe: a model spoilt by one stall must not lock the door
    if queue.live >= queue.limit:
        message = f"Too Many Requests: {queue.limit} requests wait already"
        return Refusal(429, "queue_full", message, retry_after(queue, now))
    model = queue.model
    if not model.trusted or not free_at:
        return None
    low = expected_done(queue, free_at, now) + queue.caution_s
    if low <= goal:
        return None
    queue.promised = max(queue.promised, now + low - goal)
    late_ms = (low - now) * 1000
    message = (
        f"Service Unavailable: an answer is expected after {late_ms:.0f} ms, later than the latency goal"
    )
    return Refusal(503, "too_late", message, retry_after(queue, now))


def too_late(queue: ApiQueue, now: float) -> Refusal:
    """For a request that waited, and can no longer be answered in time."""
    message = "Service Unavailable: an answer would be later than the latency goal"
    return Refusal(503, "too_late", message, retry_after(queue, now))


def safe_live(queue: ApiQueue, workers: int) -> int:
    """Below this many waiting requests nobody can be refused, so admission need not look closer.

    It assumes that every worker has just started a full batch, which is the worst it can be.
    """
    if not queue.model.trusted or not workers:
        return queue.limit
    full_s = max(queue.model.low(queue.cap), queue.model.predict(queue.cap), 1e-6)
    rounds = int(queue.goal_s / full_s) - 2
    return max(0, min(queue.limit, rounds * workers * queue.cap))


def expected_done(queue: ApiQueue, free_at: Sequence[float], now: float) -> float:
    """Earliest plausible time at which a request that joins now is answered.

    That is the sooner of two: with all that wait in one batch, or in batches of the steady size on
    all workers.
    """
    model = queue.model
    starts = sorted(max(now, t) for t in free_at)
    size = queue.steady
    full, rest = divmod(queue.live, size)
    start = starts[full % len(starts)] + (full // len(starts)) * model.low(size)
    done = start + model.low(rest + 1)
    return min(done, starts[0] + model.low(queue.live + 1)) if queue.live < queue.cap else done


def retry_after(queue: ApiQueue, now: float) -> int:
    """Whole seconds, a later slot for each refused client, so that they do not return together."""
    cap_s = max(queue.model.low(queue.cap), 1e-4)
    queue.promised = max(queue.promised, now + queue.live / queue.cap * cap_s) + cap_s / queue.cap
    return min(MAX_RETRY_S, max(1, ceil(queue.promised - now)))
