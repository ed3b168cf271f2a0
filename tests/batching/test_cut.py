"""Who is refused at the cut, and when the last idle worker waits."""

from __future__ import annotations

import pytest

from bentoml.batching.cut import worth
from bentoml.batching.queue import ApiQueue, Request

from .simulation import Simulation, queue


def ignore(_request: Request, _status: int) -> None:
    return None


def cost(_api: int, size: int) -> float:
    return 0.010 + 0.001 * size


def learned(**options: float) -> ApiQueue:
    api = queue(**options)  # type: ignore[arg-type]
    api.model.prime([(size, cost(0, size)) for size in (1, 1, 16, 32, 64)], now=0.0)
    return api


def test_the_oldest_are_refused_when_not_all_can_be_in_time() -> None:
    api = learned(goal_s=0.1)
    sim = Simulation([api], cost)
    statuses: list[tuple[float, int]] = []

    def note(request: Request, status: int) -> None:
        statuses.append((request.start, status))

    for i in range(300):
        sim.later(i * 5e-4, lambda: sim.send(api, note))  # 2,000 requests/s, twice what is possible
    sim.run(2)
    assert {status for _, status in statuses} == {200, 503}
    assert max(latency for latency in sim.latencies) < 0.1
    assert api.stats.refused["too_late"] == sim.statuses[503]
    for _, _, batch in sim.batches:
        assert len({status for start, status in statuses if start in {r.start for r in batch}}) == 1


def test_a_goal_that_cannot_be_met_does_not_stop_the_service() -> None:
    api = learned(goal_s=0.002)
    sim = Simulation([api], cost)
    for i in range(20):
        sim.later(i * 0.05, lambda: sim.send(api, ignore))
    sim.run(3)
    assert sim.statuses == {200: 20}


def test_what_fits_into_two_batches_is_not_refused() -> None:
    api = learned(goal_s=0.1, cap=40)
    sim = Simulation([api], cost)
    sim.later(0, lambda: [sim.send(api, ignore) for _ in range(60)])
    sim.run(1)
    assert sim.statuses == {200: 60}
    assert max(sim.latencies) < 0.1


@pytest.mark.parametrize(("goal_s", "spread"), [(0.05, True), (20.0, False)], ids=["tight", "default"])
def test_the_last_idle_worker_keeps_its_distance_only_under_a_tight_goal(goal_s: float, spread: bool) -> None:
    api = learned(goal_s=goal_s)
    sim = Simulation([api], cost, workers=2)
    sim.later(0, lambda: [sim.send(api, ignore) for _ in range(2)])
    sim.later(1e-3, lambda: sim.send(api, ignore))
    sim.run(1)
    first, second = (at for at, _, _ in sim.batches[:2])
    assert (second - first > 0.004) is spread
    assert sim.statuses == {200: 3}


def test_several_idle_workers_never_wait() -> None:
    api = learned(goal_s=0.05)
    sim = Simulation([api], cost, workers=3)
    for i in range(2):
        sim.later(i * 1e-3, lambda: sim.send(api, ignore))
    sim.run(1)
    assert sim.batches[1][0] - sim.batches[0][0] == pytest.approx(1e-3, abs=1e-4)


def test_a_batch_is_worth_its_fixed_cost_when_that_is_a_twentieth() -> None:
    api = queue()
    api.model.a, api.model.b = 1e-3, 1e-4
    assert cost_share(api, worth(api)) <= 0.05
    assert cost_share(api, worth(api) - 1) > 0.05


def cost_share(api: ApiQueue, size: int) -> float:
    return api.model.a / (api.model.a + api.model.b * size)
