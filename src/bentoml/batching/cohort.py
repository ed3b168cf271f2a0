"""The one case where an idle worker should wait: its own clients are about to come back.

Clients that send their next request when they got their answer (a connection pool, a scoring
script) form a closed loop. With one worker and a large fixed cost per batch, serving eagerly splits
them into two groups that wait for each other for ever: the first client to return is served alone
and everybody else waits out its batch. If all of them return within `H` and `H` is well below that
fixed cost, waiting `H` for the whole cohort serves everybody sooner.

What is measured: after each batch of m answers, how long until m new requests came (`H`), and which
share came at all (`share`, near 0 for clients that arrive on their own clock). The rule switches
itself off, for longer each time, while its waits end without the cohort.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MIN_SHARE = 0.7
SAFETY = 1.3
FIXED_COST_SHARE = 0.75
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0


@dataclass(slots=True)
class ReturnTimes:
    """Decaying least squares of `H` on the number of answers: H(m) = h0 + h1 m, both >= 0."""

    s0: float = 0.0
    s1: float = 0.0
    s2: float = 0.0
    t0: float = 0.0
    t1: float = 0.0

    def add(self, size: int, seconds: float) -> None:
        keep = 0.95
        self.s0 = self.s0 * keep + 1
        self.s1 = self.s1 * keep + size
        self.s2 = self.s2 * keep + size * size
        self.t0 = self.t0 * keep + seconds
        self.t1 = self.t1 * keep + size * seconds

    def predict(self, size: int) -> float:
        if not self.s0:
            return float("inf")
        determinant = self.s0 * self.s2 - self.s1 * self.s1
        mean = self.t0 / self.s0
        if determinant < 0.01 * self.s0 * self.s2:
            return mean * max(1.0, size * self.s0 / self.s1)
        slope = max(0.0, (self.s0 * self.t1 - self.s1 * self.t0) / determinant)
        start = max(0.0, mean - slope * self.s1 / self.s0)
        return start + slope * size


@dataclass(slots=True)
class Cohort:
    """Decides, for one API with one worker, whether to wait for clients to come back."""

    enabled: bool = True
    share: float = 0.0
    returns: ReturnTimes = field(default_factory=ReturnTimes)
    until: float = 0.0
    _expected: int = 0
    _arrived_before: int = 0
    _answered: int = 0
    _answered_at: float = 0.0
    _measuring: bool = False
    _misses: float = 0.0
    _off_until: float = 0.0
    _pause_s: float = FIRST_PAUSE_S

    def batch_done(self, answered: int, arrivals: int, waiting: int, fixed_s: float, now: float) -> None:
        """A batch of `answered` requests ended; decide whether the next one waits for them.

        Args:
            arrivals: requests that ever arrived for this API.
            fixed_s: cost of a batch that does not depend on its size, hand-over included.
        """
        if self._measuring:
            self._close_measurement(arrivals)
        self._answered, self._answered_at = answered, now
        self._arrived_before = arrivals
        self._measuring = True
        self._expected = 0
        if not self.enabled or self.share < MIN_SHARE or now < self._off_until:
            return
        returning = self.returns.predict(answered + waiting)
        if returning <= FIXED_COST_SHARE * fixed_s:
            self.until = now + SAFETY * returning
            self._expected = max(1, round(self.share * answered))

    def arrived(self, arrivals: int, now: float) -> None:
        """Note when all clients of the last batch are back. Called at every tick."""
        if self._measuring and arrivals - self._arrived_before >= self._answered:
            self.returns.add(self._answered, now - self._answered_at)
            self._close_measurement(arrivals)

    def holds(self, arrivals: int, now: float) -> bool:
        """Whether the idle worker should still be left idle. Called at every tick with work waiting."""
        if not self._expected:
            return False
        if arrivals - self._arrived_before >= self._expected:
            self._note(missed=False, now=now)
            return False
        if now >= self.until:
            self._note(missed=True, now=now)
            return False
        return True

    def _close_measurement(self, arrivals: int) -> None:
        self._measuring = False
        back = min(1.0, (arrivals - self._arrived_before) / max(1, self._answered))
        self.share += 0.1 * (back - self.share)

    def _note(self, *, missed: bool, now: float) -> None:
        self._expected = 0
        self._misses += 0.1 * (missed - self._misses)
        if self._misses > 0.3:
            self._off_until = now + self._pause_s
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
            self._misses = 0.0
        elif not missed:
            self._pause_s = max(FIRST_PAUSE_S, 0.99 * self._pause_s)
