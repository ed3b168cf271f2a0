"""The cost model: bounds that hold, predictions that follow, no extrapolation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bentoml.batching.cost_model import CostModel


def feed(model: CostModel, sizes: list[int], a: float, b: float) -> None:
    for i, n in enumerate(sizes):
        model.observe(n, a + b * n, a + b * n, now=i * 0.01)


@settings(max_examples=200)
@given(
    st.lists(st.integers(1, 500), min_size=3, max_size=60),
    st.floats(1e-5, 1e-2),
    st.floats(0, 1e-3),
    st.integers(1, 4000),
)
def test_bounds_hold_for_every_affine_cost(sizes: list[int], a: float, b: float, asked: int) -> None:
    model = CostModel()
    feed(model, sizes, a, b)
    low, high = model.bounds(asked)
    true = a + b * asked
    # a bucket holds the mean of neighbouring sizes, which is on the line too
    assert low <= true * 1.0001
    assert high >= true * 0.9999
    assert low <= model.predict(asked) <= high


def test_two_sizes_give_the_line_back() -> None:
    model = CostModel()
    feed(model, [1, 100] * 20, 3.7e-3, 2e-6)
    assert model.a == pytest.approx(3.7e-3, rel=0.01)
    assert model.b == pytest.approx(2e-6, rel=0.05)


def test_one_size_only_never_promises_another() -> None:
    model = CostModel()
    feed(model, [1] * 50, 3.7e-3, 0)
    assert model.low(100) <= 3.8e-3
    assert model.high(100) >= 0.3
    assert model.largest_within(0.1, 1000) >= 20


def test_one_pause_does_not_spoil_the_estimate() -> None:
    model = CostModel()
    feed(model, [1, 10, 50] * 20, 1e-3, 1e-5)
    model.observe(10, 2.0, 2.0, now=1.0)
    assert model.predict(10) < 3 * 1.1e-3


def test_a_lasting_change_is_learned() -> None:
    model = CostModel()
    feed(model, [10] * 50, 1e-3, 0)
    for i in range(60):
        model.observe(10, 1e-2, 1e-2, now=1 + i * 0.01)
    assert model.predict(10) == pytest.approx(1e-2, rel=0.2)
    assert model.trusted
