"""The policy against fixed windows on a simulated clock: answers in time, refusals count as missed."""

from __future__ import annotations

from math import exp, log

import pytest

from .goodput import FULL, NEVER_BELOW, SMALL, Cell, arrival_times, compare, full_grid, run

QUICK = [
    Cell("constant", 0.01, 1, 1.3, 1.0),
    Cell("constant", 0.1, 2, 0.9, 1.0),
    Cell("constant", 0.3, 4, 1.3, 1.0),
    Cell("poisson", 0.01, 2, 1.3, 1.0),
    Cell("poisson", 0.1, 4, 0.5, 1.0),
    Cell("poisson", 0.3, 1, 0.9, 1.0),
]
CHANGING = [
    Cell("bursty", 0.01, 1, 0.5, 1.0),
    Cell("bursty", 0.1, 2, 0.9, 1.0),
    Cell("bursty", 0.3, 4, 0.9, 1.0),
    Cell("step", 0.01, 4, 0.9, 1.0),
    Cell("step", 0.1, 1, 1.3, 1.5),
    Cell("step", 0.3, 2, 0.9, 1.5),
]


def name_of(cell: Cell) -> str:
    return f"{cell.arrivals}-a{cell.fixed_share:g}-w{cell.workers}-load{cell.load:g}"


def mean(ratios: list[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios))


@pytest.mark.parametrize("cell", QUICK, ids=name_of)
def test_goodput_is_never_below_the_best_fixed_window(cell: Cell) -> None:
    found = compare(cell, SMALL)
    assert found.ratio >= NEVER_BELOW, found


def test_goodput_is_above_the_best_fixed_window_where_the_load_changes() -> None:
    found = [compare(cell, SMALL) for cell in CHANGING]
    assert [c for c in found if c.ratio < NEVER_BELOW] == []
    assert mean([c.ratio for c in found]) > 1.0


@pytest.mark.parametrize("load", [1.3, 3.0, 10.0])
def test_overload_does_not_lower_what_is_answered_in_time(load: float) -> None:
    cell = Cell("poisson", 0.1, 1, load, 0.5)
    outcome = run(cell, arrival_times(cell))
    assert outcome.good * load >= 0.95
    assert outcome.p99_s <= 1.05 * 0.05


def test_a_model_that_has_seen_nothing_catches_up_within_a_few_batches() -> None:
    cell = Cell("bursty", 0.1, 1, 0.9, 1.0)
    times = arrival_times(cell)
    assert run(cell, times, warm_up=()).good >= 0.9 * run(cell, times).good


@pytest.mark.slow
def test_goodput_on_the_whole_grid() -> None:
    found = [compare(cell, FULL) for cell in full_grid()]
    assert [c for c in found if c.ratio < NEVER_BELOW] == []
    changing = [c.ratio for c in found if c.cell.arrivals in ("bursty", "step")]
    assert mean(changing) > 1.0
