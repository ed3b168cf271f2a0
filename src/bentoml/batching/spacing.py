"""Keeps several workers out of step when a batch costs a lot before its first request.

Workers that become free together take one large batch and some tiny ones, pay the fixed cost for each,
and stay together. Evenly spaced, `t / workers` apart, each finds a share of the load. So the last
idle worker lets that time pass after a batch was cut, unless enough is waiting for a batch that is
worth its fixed cost, or the oldest would be late. Nobody waits for this at low load, where more than
one worker is idle, nor for models whose fixed cost is small beside the latency goal.
"""

from __future__ import annotations

from .cut import worth
from .queue import ApiQueue

FIXED_SHARE = 0.15  # of the latency goal; below it, a batch too many costs less than the wait


def apart_until(queue: ApiQueue, size: int, workers: int, now: float) -> float:
    """When the next batch may follow one of `size` that is cut now; 0 when it does not matter."""
    model = queue.model
    if workers < 2 or model.a < FIXED_SHARE * queue.goal_s or not model.trusted:
        return 0.0
    return now + model.predict(size) / workers


def keeps_apart(queue: ApiQueue, idle: int) -> bool:
    """Before `queue.apart_until`: whether the last idle worker should still be left idle."""
    if idle > 1 or queue.live >= worth(queue):
        return False
    head = queue.head()
    return head is not None and head.goal - queue.apart_until > queue.model.high(worth(queue))
