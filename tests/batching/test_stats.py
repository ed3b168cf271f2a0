"""Counters of one API."""

from __future__ import annotations

import pytest

from bentoml.batching.stats import LATENCY_BOUNDS_S, Histogram

NOW = 1000.0


@pytest.mark.parametrize(
    "ages",
    [[], [0.002], [0.002] * 5, [0.0005, 0.001, 0.03, 0.002], [61.0, 0.5, 0.7], [0.0, 59.0]],
    ids=["none", "one", "one bucket", "several buckets", "beyond the last bound", "all the way"],
)
def test_a_batch_counts_as_its_items_do_one_by_one(ages: list[float]) -> None:
    alone, batch = Histogram(LATENCY_BOUNDS_S), Histogram(LATENCY_BOUNDS_S)
    starts = [NOW - age for age in ages]
    for start in starts:
        alone.observe(NOW - start)

    batch.observe_since(starts, NOW)

    assert batch.counts == alone.counts
    assert batch.count == len(ages)
    assert batch.total == pytest.approx(alone.total)
