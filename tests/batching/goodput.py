"""Goodput on the simulated clock: answers within the latency goal, ours against fixed windows.

One cell is an arrival process, a load, a share of the fixed cost in the goal, and a number of
workers. Both sides see the same arrivals and the same front; a refused request counts as missed. The
opponent is given the best window, batch size and queue limit for exactly that cell, found by trying
them; ours runs with its defaults and has seen what the warm-up of a worker shows it, or nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import NamedTuple

from bentoml.batching.queue import Request

from .fixed_window import FixedWindow
from .simulation import Policy, Simulation, queue

GOAL_S = 0.05
PER_ITEM = 0.01  # cost of one more request, as a share of the goal


class Grid(NamedTuple):
    """What the opponent may choose from."""

    windows: tuple[float, ...]  # shares of the goal
    sizes: tuple[float, ...]  # shares of the batch that fills half the goal
    limits: tuple[float, ...]  # waiting requests, in full batches of all workers


FULL = Grid((0.0, 0.05, 0.1, 0.2), (0.25, 0.5, 0.75, 1.0, 1.5, 50.0), (0.5, 1.0, 1.5, 1000.0))
SMALL = Grid((0.0, 0.05, 0.2), (0.5, 1.0, 1.5), (0.5, 1.0, 1000.0))
NEVER_BELOW = 0.98
ARRIVALS = ("constant", "poisson", "bursty", "step")
FIXED_SHARES = (0.01, 0.1, 0.3)
WORKERS = (1, 2, 4)
LOADS = (0.5, 0.9, 1.3)
BURST_EVERY_S = 0.5
WARM_UP = (1, 1, 32)  # batches that a worker runs before it is ready


class Cell(NamedTuple):
    """One comparison. `fixed_share` is a/D, `load` is a multiple of `Cell.capacity`."""

    arrivals: str
    fixed_share: float
    workers: int
    load: float
    seconds: float = 2.0

    @property
    def batch(self) -> float:
        """Requests in the batch that takes half the goal: the largest an eager server can keep up."""
        return (0.5 - self.fixed_share) / PER_ITEM

    @property
    def capacity(self) -> float:
        """Requests per second of all workers with such batches."""
        return self.workers * self.batch / (0.5 * GOAL_S)

    def cost(self, _api: int, size: int) -> float:
        return GOAL_S * (self.fixed_share + PER_ITEM * size)


@dataclass(frozen=True)
class Outcome:
    """Goodput as a share of what was sent; `refused` is the share turned away."""

    good: float
    refused: float
    p99_s: float


@dataclass(frozen=True)
class Comparison:
    cell: Cell
    ours: Outcome
    best: Outcome
    window_s: float
    size: int
    limit: int

    @property
    def ratio(self) -> float:
        return self.ours.good / self.best.good if self.best.good else float("inf")


def arrival_times(cell: Cell, seed: int = 3) -> list[float]:
    """Times of all requests of a cell, rising, in seconds."""
    rate = cell.load * cell.capacity
    if cell.arrivals == "constant":
        return [i / rate for i in range(int(rate * cell.seconds))]
    rng = random.Random(seed)
    times: list[float] = []
    now = 0.0
    peak = rate * max(_shape(cell, t) for t in (0.0, cell.seconds / 2, 0.2))
    while now < cell.seconds:  # thinning of a Poisson process at the highest rate
        now += rng.expovariate(peak)
        if rng.random() * peak < rate * _shape(cell, now):
            times.append(now)
    return times


def _shape(cell: Cell, now: float) -> float:
    """The rate at `now` as a multiple of the cell's load."""
    if cell.arrivals == "bursty":  # 100 ms at six times the rate of the other 400 ms, mean 1
        return 3.0 if now % BURST_EVERY_S < 0.2 * BURST_EVERY_S else 0.5
    if cell.arrivals == "step":
        return 1.25 if 1 / 3 <= now / cell.seconds < 2 / 3 else 0.1
    return 1.0


def run(
    cell: Cell,
    times: list[float],
    policy: Callable[[Simulation], Policy] | None = None,
    warm_up: tuple[int, ...] = WARM_UP,
) -> Outcome:
    """Send a cell's requests through the real dispatcher, or through another policy."""
    api = queue(goal_s=GOAL_S, limit=1_000_000)
    api.model.prime([(size, cell.cost(0, size)) for size in warm_up], now=0.0)
    sim = Simulation([api], cell.cost, workers=cell.workers, other=policy)
    latencies: list[float] = []
    refused = 0

    def send(at: float) -> None:
        def answered(_request: Request, status: int) -> None:
            nonlocal refused
            if status == 200:
                latencies.append(sim.now - at)
            else:
                refused += 1

        sim.send(api, answered)

    def source(index: int) -> None:
        if index + 1 < len(times):
            sim.later(times[index + 1] - sim.now, lambda: source(index + 1))
        send(times[index])

    if times:
        sim.later(times[0], lambda: source(0))
    sim.run(cell.seconds + 20)
    latencies.sort()
    good = sum(seconds <= GOAL_S for seconds in latencies)
    p99 = latencies[int(0.99 * (len(latencies) - 1))] if latencies else 0.0
    return Outcome(good / len(times), refused / len(times), p99)


def compare(cell: Cell, grid: Grid = FULL, warm_up: tuple[int, ...] = WARM_UP) -> Comparison:
    """Our policy with its defaults against the best window, size and limit for exactly this cell."""
    times = arrival_times(cell)
    found = []
    for window, share, rounds in product(*grid):
        window_s, size = window * GOAL_S, max(1, round(share * cell.batch))
        limit = round(rounds * size * cell.workers)
        outcome = run(cell, times, partial(FixedWindow, window_s=window_s, size=size, limit=limit))
        found.append((outcome.good, -window_s, size, limit, outcome))
    _, minus_window_s, size, limit, best = max(found, key=lambda entry: entry[:4])
    return Comparison(cell, run(cell, times, warm_up=warm_up), best, -minus_window_s, size, limit)


def full_grid() -> Iterator[Cell]:
    for arrivals, share, workers, load in product(ARRIVALS, FIXED_SHARES, WORKERS, LOADS):
        yield Cell(arrivals, share, workers, load)
