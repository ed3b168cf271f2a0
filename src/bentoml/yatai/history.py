"""What deployed services did in the last minutes: figures made of their counters, kept in memory."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass

from bentoml.deploy.base import Counters

KEPT = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """What a service did between two looks at it."""

    at: float
    requests_per_s: float
    errors_per_s: float
    mean_latency_ms: float
    queued: float


class History:
    """The figures of the last minutes, in memory."""

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
        self._figures.setdefault(resource, deque(maxlen=self._kept)).append(
            Figures(
                at=time.time(),
                requests_per_s=answered / (at - then),
                errors_per_s=max(0.0, counters.errors - old.errors) / (at - then),
                mean_latency_ms=1000 * (counters.seconds - old.seconds) / answered if answered else 0.0,
                queued=counters.queued,
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
