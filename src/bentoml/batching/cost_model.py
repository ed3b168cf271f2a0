"""How long a batch takes, learned while serving and honest about sizes it has not seen.

Samples fall into half-octave buckets of batch size. For any cost that does not fall with the size
and is at most proportional to it (every affine cost with a, b >= 0), one sample t(m) bounds all
other sizes:

    n >= m:  t(m) <= t(n) <= (n/m) t(m)        n <= m:  (n/m) t(m) <= t(n) <= t(m)

A line t(n) = a + b n is fitted to the buckets with relative weights, and used between sizes that
were seen; outside of them only the bounds count. That is what keeps a server that only ever saw
single requests from refusing its first burst.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp, log2

TRUST_AFTER = 3
HALF_LIFE_S = 60.0
RATIO_STEP = 0.05
SAME_SIZE = 0.01
SEEN_MARGIN = 2.0
DRIFT_RUN = 3
KEEN = 20
LEARN_EVERY_S = 0.004


@dataclass(slots=True)
class Bucket:
    """Exponentially weighted mean size and time of the batches of one size class."""

    size: float
    time_s: float
    count: int
    seen: float


@dataclass(slots=True)
class CostModel:
    """Online estimate of the duration of a batch of n requests, in seconds.

    `a` and `b` are the fitted line; `gap_s` is the part of the total that is not the worker's
    (hand-over, queueing in sockets). Times are seconds, `now` is a monotonic clock.
    """

    a: float = 0.0
    b: float = 0.0
    gap_s: float = 0.0
    count: int = 0
    buckets: dict[int, Bucket] = field(default_factory=dict)
    _ratio95: float = 1.0
    _strange: int = 0
    _largest: float = 0.0
    _warm: bool = False
    _learned_at: float = 0.0

    @property
    def trusted(self) -> bool:
        """Whether refusing somebody on this model's word is fair."""
        return self.count >= TRUST_AFTER and self._strange < DRIFT_RUN

    def wants(self, now: float) -> bool:
        """Whether another sample is worth its time: always at first, then some hundred times a second."""
        return self.count < KEEN or now - self._learned_at > LEARN_EVERY_S

    def prime(self, samples: Iterable[tuple[int, float]], now: float) -> None:
        """Learn from (size, seconds) of calls that a worker made before it was ready."""
        for size, seconds in samples:
            self._warm = True
            self.observe(size, seconds, seconds, now)

    def observe(self, size: int, total_s: float, worker_s: float, now: float) -> None:
        """Learn from one finished batch. A slow first call is left out: it pays for imports and caches."""
        if not self._warm:
            self._warm = True
            if self.count == 0 and total_s > 0.05:
                return
        self.gap_s += 0.1 * (max(0.0, total_s - worker_s) - self.gap_s)
        time_s = total_s
        if self.count >= TRUST_AFTER:
            expected = max(self.predict(size), 1e-6)
            ratio = total_s / expected
            self._ratio95 *= exp(RATIO_STEP * (0.95 - (ratio < self._ratio95)))
            self._ratio95 = min(max(self._ratio95, 1.0), 10.0)
            self._note_drift(ratio)
            if self._strange < DRIFT_RUN:
                time_s = min(total_s, 3.0 * expected)
        self._learned_at = now
        self._add(size, time_s, now)
        self._fit(now)

    def _note_drift(self, ratio: float) -> None:
        if ratio > max(2.0, 1.5 * self._ratio95) or ratio < 0.5:
            self._strange += 1
            if self._strange == DRIFT_RUN:
                self.count = 0
                for bucket in self.buckets.values():
                    bucket.count = max(1, bucket.count // 5)
        else:
            self._strange = 0

    def _add(self, size: int, time_s: float, now: float) -> None:
        self.count += 1
        self._largest = max(self._largest, size)
        key = int(2 * log2(size))
        bucket = self.buckets.get(key)
        if bucket is None:
            self.buckets[key] = Bucket(size, time_s, 1, now)
            return
        step = max(0.1, 1 / (bucket.count + 1))
        bucket.size += step * (size - bucket.size)
        bucket.time_s += step * (time_s - bucket.time_s)
        bucket.count += 1
        bucket.seen = now

    def _fit(self, now: float) -> None:
        s0 = s1 = s2 = t0 = t1 = 0.0
        for bucket in self.buckets.values():
            age = 0.5 ** ((now - bucket.seen) / HALF_LIFE_S)
            time_s = max(bucket.time_s, 1e-7)
            weight = min(bucket.count, 20) * max(age, 0.05) / (time_s * time_s)
            u = bucket.size
            s0 += weight
            s1 += weight * u
            s2 += weight * u * u
            t0 += weight * time_s
            t1 += weight * u * time_s
        mean_u, mean_t = s1 / s0, t0 / s0
        determinant = s0 * s2 - s1 * s1
        if determinant < SAME_SIZE * s0 * s2:
            self._keep_share(mean_u, mean_t)
            return
        b = (s0 * t1 - s1 * t0) / determinant
        a = mean_t - b * mean_u
        if b < 0:
            a, b = mean_t, 0.0
        elif a < 0:
            a, b = 0.0, t1 / s2
        self.a, self.b = a, b

    def _keep_share(self, mean_u: float, mean_t: float) -> None:
        """One size only: scale the line through the point, keeping the share that grows with n."""
        known = self.a + self.b * mean_u
        share = self.b * mean_u / known if known > 0 else 0.5
        self.b = share * mean_t / mean_u
        self.a = mean_t - self.b * mean_u

    def bounds(self, size: float) -> tuple[float, float]:
        """Lower and upper bound of the mean time for `size`; (0, inf) before the first sample."""
        low, high = 0.0, float("inf")
        for bucket in self.buckets.values():
            if size >= bucket.size:
                low = max(low, bucket.time_s)
                high = min(high, bucket.time_s * size / bucket.size)
            else:
                low = max(low, bucket.time_s * size / bucket.size)
                high = min(high, bucket.time_s)
        return low, max(low, high)

    def predict(self, size: float) -> float:
        """Expected duration of a batch of `size`, within the bounds."""
        low, high = self.bounds(size)
        return min(max(self.a + self.b * size, low), high)

    def low(self, size: float) -> float:
        """Optimistic estimate; the only one that may refuse a request."""
        return self.bounds(size)[0] if size > SEEN_MARGIN * self._largest else self.predict(size)

    def high(self, size: float) -> float:
        """Pessimistic estimate; the only one that may promise a deadline."""
        if not self.buckets:
            return 0.0
        if size > SEEN_MARGIN * self._largest:
            return self.bounds(size)[1] * self._ratio95
        return self.predict(size) * self._ratio95

    def largest_within(self, slack_s: float, cap: int, *, optimistic: bool = False) -> int:
        """Largest batch, at most `cap` and at least 1, that ends within `slack_s` by `high` (or `low`)."""
        estimate = self.low if optimistic else self.high
        if estimate(cap) <= slack_s:
            return cap
        good, bad = 1, cap
        while bad - good > 1:
            middle = (good + bad) // 2
            if estimate(middle) <= slack_s:
                good = middle
            else:
                bad = middle
        return good
