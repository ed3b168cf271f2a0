"""The open-loop load: requests are sent when they are due, whether or not earlier ones were answered.

    python -m benchmarks.serving.open_loop http://127.0.0.1:5000/predict --rate 900 --body '[5.1,3.5,1.4,0.2]'

Latency counts from the intended time of sending, so a server that stalls is charged for every request that
should have been sent meanwhile (a closed loop simply stops asking). The schedule is computed beforehand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

from .wire import Connection, Target, run_loop, timer

CONSTANT, POISSON = "constant", "poisson"
START_AFTER_S = 0.3
DRAIN_S = 30.0
CONNECT_WITHIN_S = 5.0


def schedule(rate: float, seconds: float, arrivals: str, seed: int = 0) -> array[float]:
    """When to send, in seconds from the start: evenly, or with exponential gaps."""
    if arrivals == CONSTANT:
        return array("d", (i / rate for i in range(int(rate * seconds))))
    source = random.Random(seed)
    times, now = array("d"), source.expovariate(rate)
    while now < seconds:
        times.append(now)
        now += source.expovariate(rate)
    return times


@dataclass
class Share:
    """What one generator process saw: seconds from the intended time to the end of a right answer."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    lags: array[float] = field(default_factory=lambda: array("d"))
    failures: Counter[str] = field(default_factory=Counter)
    cpu_share: float = 0.0


@dataclass(frozen=True)
class OpenResult:
    """One run. Latencies in microseconds.

    Attributes:
        lag_p99_us: how late the generator itself was.
        generator_cpu: share of a core that the busiest generator process used; above 0.6 it distorts.
        within_slo: share of all that was sent which was answered right and in time.
    """

    arrivals: str
    offered: float
    answered: float
    sent: int
    p50_us: int
    p90_us: int
    p99_us: int
    p999_us: int
    max_us: int
    failures: dict[str, int]
    lag_p99_us: int
    generator_cpu: float
    within_slo: float

    @property
    def faults(self) -> int:
        return sum(self.failures.values())


class _Sender:
    """Sends the requests of one process over as many connections as they need at the same time."""

    def __init__(self, target: Target, times: array[float], start: float, most: int) -> None:
        self.share = Share()
        self._target = target
        self._times = times
        self._start = start
        self._most = most
        self._next = 0
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._due: deque[float] = deque()
        self._left = len(times)
        self._done = asyncio.Event()
        self._ended = False

    async def run(self, connections: int) -> Share:
        if not self._times:
            return self.share
        await asyncio.gather(*(self._connect() for _ in range(connections)))
        with timer(asyncio.get_running_loop(), self._wake) as arm:
            self._arm = arm
            arm(self._start + self._times[0])
            cpu, begun = time.process_time(), time.monotonic()
            end = self._start + self._times[-1] + DRAIN_S
            try:
                await asyncio.wait_for(self._done.wait(), end - time.monotonic())
            except asyncio.TimeoutError:
                self.share.failures["unanswered"] += self._left
            self._ended = True  # what comes now was counted as unanswered
            self.share.cpu_share = (time.process_time() - cpu) / max(1e-9, time.monotonic() - begun)
        await self._close()
        return self.share

    async def _close(self) -> None:
        """End every connection, those that are still being opened too."""
        opening = list(self._opening)
        if opening:
            await asyncio.wait(opening, timeout=CONNECT_WITHIN_S)
        for task in self._opening:
            task.cancel()
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(0.05)  # the loop must see them closed before it is closed itself

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self._target, self._answered, self._lost),
                self._target.host,
                self._target.port,
            )
        except OSError as err:
            if self._due:
                self._due.popleft()
                self._count(type(err).__name__)
            return
        self._open.add(connection)
        self._idle.append(connection)
        self._pump()

    def _wake(self) -> None:
        now = time.monotonic() - self._start
        times, count = self._times, len(self._times)
        while self._next < count and times[self._next] <= now:
            self._due.append(times[self._next])
            self._next += 1
        self._pump()
        if self._next < count:
            self._arm(self._start + times[self._next])

    def _pump(self) -> None:
        if self._ended:
            return
        while self._due and self._idle:
            connection = self._idle.pop()
            due = self._start + self._due.popleft()
            self.share.lags.append(time.monotonic() - due)
            connection.send(due)
        while len(self._due) > len(self._opening) and len(self._open) + len(self._opening) < self._most:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _answered(self, connection: Connection, due: float, problem: str | None) -> None:
        if problem is None and not self._ended:
            self.share.latencies.append(time.monotonic() - due)
        self._count(problem)
        if connection.is_open:
            self._idle.append(connection)
            self._pump()

    def _lost(self, connection: Connection, pending: bool) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if pending:
            self._count("connection lost")
        self._pump()

    def _count(self, problem: str | None) -> None:
        if self._ended:
            return
        if problem is not None:
            self.share.failures[problem] += 1
        self._left -= 1
        if not self._left:
            self._done.set()


def _run_share(target: Target, times: array[float], start: float, connections: int, most: int) -> Share:
    async def main() -> Share:
        return await _Sender(target, times, start, most).run(connections)

    return run_loop(main())


def run(
    target: Target,
    rate: float,
    seconds: float,
    arrivals: str = POISSON,
    *,
    processes: int = 1,
    connections: int = 64,
    most_connections: int = 1000,
    seed: int = 0,
    slo_s: float = float("inf"),
) -> OpenResult:
    """Send `rate` requests a second for `seconds` and compare every answer.

    Args:
        connections: opened before the first request; more are opened when all are busy.
        processes: generator processes that share the schedule.
    """
    times = schedule(rate, seconds, arrivals, seed)
    if processes == 1:
        start = time.monotonic() + START_AFTER_S
        shares = [_run_share(target, times, start, connections, most_connections)]
    else:
        start = time.monotonic() + START_AFTER_S + 1.5  # interpreters have to start first
        work = partial(
            _run_share, target, start=start, connections=connections // processes, most=most_connections
        )
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            shares = list(pool.map(work, [times[i::processes] for i in range(processes)]))
    return _summary(arrivals, len(times), seconds, shares, slo_s)


def _summary(arrivals: str, sent: int, seconds: float, shares: list[Share], slo_s: float) -> OpenResult:
    latencies = sorted(value for share in shares for value in share.latencies)
    lags = sorted(value for share in shares for value in share.lags)
    failures: Counter[str] = Counter()
    for share in shares:
        failures.update(share.failures)
    pick: Callable[[float], int] = lambda share: _percentile_us(latencies, share)  # noqa: E731
    return OpenResult(
        arrivals=arrivals,
        offered=round(sent / seconds, 1),
        answered=round(len(latencies) / seconds, 1),
        sent=sent,
        p50_us=pick(0.5),
        p90_us=pick(0.9),
        p99_us=pick(0.99),
        p999_us=pick(0.999),
        max_us=pick(1.0),
        failures=dict(failures),
        lag_p99_us=_percentile_us(lags, 0.99),
        generator_cpu=round(max(share.cpu_share for share in shares), 3),
        within_slo=round(bisect_right(latencies, slo_s) / max(1, sent), 4),
    )


def _percentile_us(ordered: list[float], share: float) -> int:
    if not ordered:
        return 0
    return int(1e6 * ordered[min(len(ordered) - 1, int(share * len(ordered)))])


def goodput(
    target: Target, slo_s: float, highest: float, *, seconds: float = 10.0, steps: int = 8, processes: int = 1
) -> tuple[float, list[OpenResult]]:
    """The largest Poisson rate at which 99 % of what was sent is answered right within `slo_s`."""
    low, high, seen = 0.0, highest, []
    for step in range(steps):
        rate = (low + high) / 2
        result = run(target, rate, seconds, POISSON, processes=processes, seed=step, slo_s=slo_s)
        seen.append(result)
        low, high = (rate, high) if result.within_slo >= 0.99 else (low, rate)
    return low, seen


def _bytes_of(text: str) -> bytes:
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.open_loop", description=__doc__)
    add = parser.add_argument
    add("url")
    add("--rate", type=float, required=True, help="requests a second; with --slo-ms the highest to try")
    add("--seconds", type=float, default=10.0)
    add("--arrivals", choices=(POISSON, CONSTANT), default=POISSON)
    add("--body", default="[5.1,3.5,1.4,0.2]", help="text, or @FILE")
    add("--content-type", default="application/json")
    add("--answer", help="what every answer must be, text or @FILE; default: any 200")
    add("--processes", type=int, default=1, help="generator processes")
    add("--slo-ms", type=float, help="search the highest rate at which 99 %% are answered within this")
    options = parser.parse_args(argv)
    parts = urlsplit(options.url)
    target = Target(
        parts.hostname or "127.0.0.1",
        parts.port or 80,
        parts.path or "/",
        options.content_type,
        _bytes_of(options.body),
        None if options.answer is None else _bytes_of(options.answer),
    )
    if options.slo_ms is None:
        result = run(target, options.rate, options.seconds, options.arrivals, processes=options.processes)
        print(json.dumps(asdict(result), indent=1))
        return
    best, tried = goodput(
        target, options.slo_ms / 1000, options.rate, seconds=options.seconds, processes=options.processes
    )
    for result in tried:
        print(
            f"{result.offered:>10,.0f}/s  p99 {result.p99_us / 1000:8.2f} ms  in time {result.within_slo:.2%}"
        )
    print(f"goodput within {options.slo_ms:g} ms: {best:,.0f}/s")


if __name__ == "__main__":
    main()
