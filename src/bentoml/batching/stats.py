"""Counters of one API, cheap enough to be updated for every request.

Plain integers and lists: the event loop of the front is their only writer, and `/metrics` reads
them when it is scraped (see `observability.metrics`), so counting costs a list increment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

LATENCY_BOUNDS_S: tuple[float, ...] = (
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
)  # fmt: skip
BATCH_BOUNDS: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(slots=True)
class Histogram:
    """Counts per upper bound (inclusive), with one overflow bucket at the end, and the sum."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_since(self, starts: Sequence[float], now: float) -> None:
        """Count one value `now - start` for each start; most often all of a batch fall into one bucket."""
        if not starts:
            return
        bounds, counts = self.bounds, self.counts
        bucket = bisect_left(bounds, now - min(starts))
        if bisect_left(bounds, now - max(starts)) == bucket:
            counts[bucket] += len(starts)
        else:
            for start in starts:
                counts[bisect_left(bounds, now - start)] += 1
        self.total += len(starts) * now - sum(starts)

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(slots=True)
class ApiStats:
    """What is counted for one route.

    Attributes:
        refused: requests turned away, by reason (`queue_full`, `too_late`, `draining`, `no_worker`).
        dropped: requests that left the queue unanswered because their client had gone.
        in_progress: admitted and not yet answered.
        durations: seconds from the last byte of a request to its answer, by HTTP status of the
            answer, refusals included.
        queue_wait: seconds the oldest request of a batch had waited when the batch was cut.
        batch_size: requests per batch.
        decode_s, call_s, encode_s: seconds spent by workers in each step, summed.
    """

    route: str
    refused: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    in_progress: int = 0
    durations: dict[int, Histogram] = field(default_factory=dict)
    queue_wait: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))
    batch_size: Histogram = field(default_factory=lambda: Histogram(BATCH_BOUNDS))
    decode_s: float = 0.0
    call_s: float = 0.0
    encode_s: float = 0.0
    exceptions: dict[str, int] = field(default_factory=dict)

    def failed_by(self, exception_class: str) -> None:
        """Count a request that got no answer of its API, by what kept it from one."""
        self.exceptions[exception_class] = self.exceptions.get(exception_class, 0) + 1

    def of_status(self, status: int) -> Histogram:
        """The durations of the answers with this status."""
        found = self.durations.get(status)
        if found is None:
            found = self.durations[status] = Histogram(LATENCY_BOUNDS_S)
        return found

    @property
    def by_status(self) -> dict[int, int]:
        """Answers by HTTP status."""
        return {status: durations.count for status, durations in self.durations.items()}
