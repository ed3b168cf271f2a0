"""`/debug/batching`: what it shows, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bentoml.server.app import build_app
from bentoml.settings import load_settings

from .conftest import LocalState

HERE = ("127.0.0.1", 4000)
ELSEWHERE = ("192.0.2.7", 4000)


def ask(
    bundle: Path,
    address: tuple[str, int],
    headers: dict[str, str] | None = None,
    debug_page: bool | None = None,
) -> int:
    state = LocalState(bundle, load_settings(debug_page=debug_page))
    client = TestClient(build_app(state), client=address)
    return client.get("/debug/batching", headers=headers).status_code


@pytest.mark.parametrize(
    ("switch", "here", "elsewhere"), [(None, 200, 404), (True, 200, 200), (False, 404, 404)], ids=str
)
def test_who_may_see_it(bundle: Path, switch: bool | None, here: int, elsewhere: int) -> None:
    assert ask(bundle, HERE, debug_page=switch) == here
    assert ask(bundle, ELSEWHERE, debug_page=switch) == elsewhere


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_proxy_on_this_machine_is_not_its_client(bundle: Path, name: str) -> None:
    assert ask(bundle, HERE, {name: "192.0.2.7"}) == 404


def test_what_it_shows(bundle: Path) -> None:
    state = LocalState(bundle, load_settings())
    stats = state.stats["predict"]
    stats.refused["too_late"] = 4
    for size in (1, 7, 7):
        stats.batch_size.observe(size)
    page = TestClient(build_app(state), client=HERE).get("/debug/batching").json()
    assert page["ready"] is True
    (row,) = [row for row in page["apis"] if row["route"] == "predict"]
    assert row["refused"] == {"too_late": 4}
    assert row["batches"] == 3
    assert row["batch_size_mean"] == 5
    assert row["batch_sizes_up_to"] == {"1": 1, "8": 2}
    assert row["cost_fixed_s"] == 0.5
    assert row["oldest_s"] == 0.125


def test_the_metrics_have_it_too(bundle: Path) -> None:
    state = LocalState(bundle, load_settings())
    state.stats["predict"].refused["queue_full"] = 2
    text = TestClient(build_app(state)).get("/metrics").text
    assert 'BENTOML_Sample_queue_oldest_seconds{endpoint="predict"} 0.125' in text
    assert 'BENTOML_Sample_queue_length{endpoint="predict"} 3.0' in text
    assert 'BENTOML_Sample_batch_estimate{endpoint="predict",parameter="fixed_seconds"} 0.5' in text
    assert 'BENTOML_Sample_batch_estimate{endpoint="predict",parameter="per_request_seconds"} 0.25' in text
    assert 'BENTOML_Sample_refused_total{endpoint="predict",reason="queue_full"} 2.0' in text
