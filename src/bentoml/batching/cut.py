"""How large the next batch is, and who is told now that nothing can be done for them.

While everything that waits can be answered in time, a batch takes all of it. When it cannot, serving
the oldest first makes everybody a little late, for as long as the overload lasts. So the oldest are
refused until those behind them fit: a full batch that is in time is worth more than a small one led by
a request that has waited for too long. Nobody is refused if a part now and the rest in the next
batch are both in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple

from .queue import WAITING, ApiQueue, Request

FIXED_SHARE = 0.05
CAUTION_STEP = 0.02  # of the latency goal, for each batch that meant refusing somebody who waited
MOST_CAUTION = 0.1
CAUTION_KEPT = 0.98  # after each batch that did not


class Cut(NamedTuple):
    """`drop` requests of the head's class are refused, oldest first; then `size` are taken."""

    drop: int
    size: int


def steady_size(queue: ApiQueue, workers: int) -> int:
    """Largest batch that can follow its like for ever without anybody being late.

    A request waits for the batch that runs when it comes, at most its whole length with one worker
    and a share of it with more, and then for its own.
    """
    if not queue.model.buckets or not workers:
        return queue.cap
    return queue.model.largest_within(queue.goal_s * workers / (workers + 1), queue.cap)


def worth(queue: ApiQueue) -> int:
    """Requests that make a batch worth its fixed cost: its share is then no more than `FIXED_SHARE`."""
    model = queue.model
    if model.a > 0 and model.b > 0:
        return min(queue.steady, ceil(model.a / model.b * (1 / FIXED_SHARE - 1)))
    return queue.steady if model.a > 0 else 1


def plan_cut(
    queue: ApiQueue, head: Request, idle: int, now: float, free_at: Callable[[], Sequence[float]]
) -> Cut:
    """What to do with an idle worker.

    Args:
        idle: idle workers, the one in question included.
        free_at: when each worker is expected to be free; asked only when time is short.
    """
    model = queue.model
    size = min(queue.cap, queue.live)
    slack = head.goal - queue.answering_s - now
    if not model.buckets or (queue.cap == 1 and slack > 0.5 * queue.goal_s):
        return Cut(0, size)
    if slack >= model.high(size):
        return Cut(0, _share(queue, size, idle))
    if not model.trusted:  # grow by what was measured, and refuse nobody on a guess
        return Cut(0, model.largest_within(max(slack, 0.5 * queue.goal_s), size))
    waiting = [r for r in queue.lanes[head.priority] if r.state == WAITING]
    starts = sorted(free_at())
    drop = _needed_drop(queue, waiting, starts[1] if len(starts) > 1 else float("inf"), now)
    if drop is None:
        return Cut(0, size)  # the goal cannot be met at all: serve as fast as the model goes
    slack = waiting[drop].goal - queue.answering_s - now
    size = model.largest_within(slack, min(queue.cap, queue.live - drop))
    return Cut(drop, _share(queue, size, idle))


def note_drops(queue: ApiQueue, dropped: int) -> None:
    """Let fewer in while those who were let in turn out to be too late.

    The estimate of admission is the optimistic one; who is refused at the door is told so at once, and
    who is refused at the cut has waited in vain.
    """
    if dropped:
        queue.caution_s = min(MOST_CAUTION * queue.goal_s, queue.caution_s + CAUTION_STEP * queue.goal_s)
    elif queue.caution_s:
        queue.caution_s *= CAUTION_KEPT


def _needed_drop(queue: ApiQueue, waiting: Sequence[Request], next_free: float, now: float) -> int | None:
    """The fewest of the oldest to refuse so that the others are in time, None if that helps nobody."""
    bad, good = -1, len(waiting) - 1
    if not _in_time(queue, waiting, good, next_free, now):
        return None
    while good - bad > 1:
        middle = (bad + good) // 2
        if _in_time(queue, waiting, middle, next_free, now):
            good = middle
        else:
            bad = middle
    return good


def _in_time(queue: ApiQueue, waiting: Sequence[Request], first: int, next_free: float, now: float) -> bool:
    """Whether `waiting[first]` can lead a batch of all that is left, or those behind can lead the next.

    The next one is expected to meet as many newcomers as came while `waiting[first]` waited. Estimates
    are the optimistic ones: nobody is refused because a size was never seen.
    """
    model, left = queue.model, queue.live - first
    slack = waiting[first].goal - queue.answering_s - now
    size = model.largest_within(slack, min(queue.cap, left), optimistic=True) if model.low(1) <= slack else 0
    if size >= min(left, queue.cap):
        return size > 0
    if not size or first + size >= len(waiting):
        return False
    start = min(next_free, now + model.low(size))
    rate = left / max(now - waiting[first].start, 1e-6)
    behind = left - size + int(rate * (start - now))
    return waiting[first + size].goal - queue.answering_s - start >= model.low(min(behind, worth(queue)))


def _share(queue: ApiQueue, size: int, idle: int) -> int:
    """The part of a backlog for one of several idle workers.

    They share it while each part does at least as much work that grows with its size as it costs to
    run a batch at all.
    """
    model = queue.model
    if idle > 1 and model.a > 0:
        parts = max(1, min(idle, int(model.b * size / model.a)))
        return ceil(size / parts)
    return size
