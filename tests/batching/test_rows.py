"""`max_batch_rows` as the front keeps to it: by what it learned about the bodies it cannot read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bentoml.batching.queue import Request
from bentoml.batching.rows import RowLimit

from .simulation import Simulation, queue


def ignore(_request: Request, _status: int) -> None:
    return None


def test_before_anything_is_known_a_request_counts_as_a_row() -> None:
    limit = RowLimit(3)
    assert limit.fitting([b"xx"] * 9, 9) == 3
    assert limit.fitting([b"xx"] * 9, 2) == 2


def test_rows_are_learned_from_answers() -> None:
    limit = RowLimit(100)
    limit.note([b"x" * 10, b"x" * 30], 20)
    assert limit.fitting([b"x" * 40] * 9, 9) == 5
    limit.note([b"x"], 0)  # nobody counted
    limit.note([b""], 7)
    assert limit.per_byte == 0.5


def test_a_request_over_the_limit_is_taken_alone() -> None:
    limit = RowLimit(10)
    limit.note([b"x"], 1)
    assert limit.fitting([b"x" * 50, b"x"], 2) == 1
    assert limit.fitting([b"x", b"x" * 50], 2) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 0.05), st.integers(1, 80)), min_size=1, max_size=120),
    st.integers(1, 64),
    st.integers(1, 100),
    st.integers(1, 3),
)
def test_batching_3_no_batch_holds_more_requests_or_rows_than_it_may(
    arrivals: list[tuple[float, int]], cap: int, rows: int, workers: int
) -> None:
    """(3) n is at most the cap, rows at most theirs once one batch was seen; all are served, in order."""
    api = queue(cap=cap, most_rows=rows)
    assert api.rows is not None
    api.rows.note([b"x"], 1)
    sim = Simulation([api], lambda _api, n: 1e-3 + 1e-4 * n, workers=workers)
    for at, size in arrivals:
        sim.later(at, lambda size=size: sim.send(api, ignore, body=b"x" * size))  # type: ignore[misc]
    sim.run(30)
    assert sim.statuses == {200: len(arrivals)}
    for _, _, batch in sim.batches:
        assert len(batch) <= cap
        assert len(batch) == 1 or sum(len(request.body) for request in batch) <= rows
    starts = [request.start for _, _, batch in sim.batches for request in batch]
    assert starts == sorted(starts)


@pytest.mark.parametrize("rows", [None, 40])
def test_a_limit_that_nobody_set_changes_nothing(rows: int | None) -> None:
    api = queue(cap=32, most_rows=rows)
    sim = Simulation([api], lambda _api, n: 1e-3)
    sim.later(0, lambda: [sim.send(api, ignore, body=b"x" * 8) for _ in range(64)])
    sim.run(1)
    largest = max(len(batch) for _, _, batch in sim.batches)
    assert largest == 32 if rows is None else largest <= 40
