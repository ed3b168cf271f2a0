"""What deployed services did in the last hour: figures made of their counters, kept in memory."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bentoml.deploy.base import Counters

KEPT = 720


@dataclass(frozen=True, slots=True)
class Figures:
    """What a service did between two looks at it.

    Attributes:
        at: seconds since 1970.
        p50_ms, p99_ms: of the answers between the looks; None if there were none.
        cpu_cores: cores that its processes used; None where they cannot be looked at.
    """

    at: float
    requests_per_s: float
    errors_per_s: float
    mean_latency_ms: float
    queued: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_cores: float | None = None
    memory_bytes: float | None = None


class History:
    """The figures of the last hour, in memory."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._figures: dict[str, deque[Figures]] = {}
        self._last: dict[str, tuple[float, Counters]] = {}

    def add(self, resource: str, at: float, counters: Counters) -> None:
        """Note what was counted until a moment of a monotonic clock."""
        before = self._last.get(resource)
        self._last[resource] = (at, counters)
        if before is None or at <= before[0]:
            return
        then, old = before
        if counters.requests < old.requests:
            old = Counters()  # it was started anew, and counts from the beginning
        answered = counters.requests - old.requests
        answers = _between(old.buckets, counters.buckets)
        self._figures.setdefault(resource, deque(maxlen=self._kept)).append(
            Figures(
                at=time.time(),
                requests_per_s=answered / (at - then),
                errors_per_s=max(0.0, counters.errors - old.errors) / (at - then),
                mean_latency_ms=1000 * (counters.seconds - old.seconds) / answered if answered else 0.0,
                queued=counters.queued,
                p50_ms=_quantile_ms(answers, 0.5),
                p99_ms=_quantile_ms(answers, 0.99),
                cpu_cores=_cores(before[1].cpu_s, counters.cpu_s, at - then),
                memory_bytes=counters.memory_bytes,
            )
        )

    def of(self, resource: str) -> list[Figures]:
        """Oldest first."""
        return list(self._figures.get(resource, ()))

    def forget_others(self, resources: set[str]) -> None:
        for known in (self._figures, self._last):
            for resource in known.keys() - resources:
                with contextlib.suppress(KeyError):
                    del known[resource]


def _cores(before: float | None, after: float | None, seconds: float) -> float | None:
    """None too when processes ended meanwhile, whose seconds are no longer counted."""
    if before is None or after is None or after < before:
        return None
    return (after - before) / seconds


def _between(
    old: Sequence[tuple[float, float]], new: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """How many answers since then took at most so many seconds."""
    before = dict(old)
    return [(bound, max(0.0, count - before.get(bound, 0.0))) for bound, count in new]


def _quantile_ms(buckets: Sequence[tuple[float, float]], share: float) -> float | None:
    """The latency that a share of the answers kept, interpolated within its bucket."""
    if not buckets or not buckets[-1][1]:
        return None
    wanted = share * buckets[-1][1]
    below_s = below_count = 0.0
    for bound, count in buckets:
        if count >= wanted:
            if bound == float("inf"):
                break
            within = (wanted - below_count) / (count - below_count) if count > below_count else 1.0
            return 1000 * (below_s + (bound - below_s) * within)
        below_s, below_count = bound, count
    return 1000 * below_s
