"""What the batcher keeps to on a simulated clock; the number of each property is in the name of its test.

(6), goodput beside the best fixed window, is in `test_goodput.py`; (3) with rows in `test_rows.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bentoml.batching.queue import ApiQueue, Request

from .simulation import Cost, Simulation, closed_loop, queue

EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HAND_OVER_S = 80e-6  # there and back
A_TICK_S = 3e-5


def ignore(_request: Request, _status: int) -> None:
    return None


def affine(a: float, b: float) -> Cost:
    return lambda _api, n: a + b * n


def RF(_api: int, n: int) -> float:
    return 3.7e-3 + 0.2e-6 * n


def LR(_api: int, n: int) -> float:
    return 100e-6 + 1e-6 * n


def sweeping(sim: Simulation, until: float, every_s: float = 0.05) -> None:
    """What the front does all the time: look for deadlines that have passed."""
    for i in range(int(until / every_s)):
        sim.later(i * every_s, lambda: sim.dispatcher.sweep(sim.links))


def open_loop(sim: Simulation, api: ApiQueue, rate: float, until: float, seed: int = 1) -> None:
    """Poisson arrivals."""
    rng = random.Random(seed)
    at = 0.0
    while at < until:
        at += rng.expovariate(rate)
        sim.later(at, lambda: sim.send(api, ignore))


@EXAMPLES
@given(st.floats(1e-4, 0.5), st.floats(0, 1e-2), st.integers(1, 4), st.lists(st.floats(0.01, 3), max_size=8))
def test_batching_1_an_idle_worker_takes_a_lone_request_in_the_same_tick(
    a: float, b: float, workers: int, gaps: list[float]
) -> None:
    """Whatever a batch costs, and whatever was seen before: nobody waits for company."""
    api = queue(goal_s=20)
    cost = affine(a, b)
    sim = Simulation([api], cost, workers=workers)
    at = 0.0
    sent: list[float] = []
    for gap in [0.0, *gaps]:
        at += gap + cost(0, 1) + 2 * HAND_OVER_S
        sim.later(at, lambda: sent.append(sim.send(api, ignore).start))
    sim.run(at + 60)
    assert len(sim.batches) == len(sent)
    for (cut, _, batch), start in zip(sim.batches, sent, strict=True):
        assert len(batch) == 1
        assert cut - start <= A_TICK_S


@EXAMPLES
@given(
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(0, 2)), min_size=1, max_size=150),
    st.integers(1, 20),
    st.integers(1, 3),
)
def test_batching_2_3_oldest_first_in_a_class_and_never_over_the_cap(
    arrivals: list[tuple[float, int]], cap: int, workers: int
) -> None:
    api = queue(cap=cap, classes=3)
    sim = Simulation([api], affine(2e-3, 1e-4), workers=workers)

    def send(priority: int) -> None:
        from .simulation import Sink

        request = Request(Sink(sim, ignore), api, b"h", b"", b"%036d" % 0, sim.now, sim.now + 60, priority)
        sim.dispatcher.submit(request)

    for at, priority in arrivals:
        sim.later(at, lambda priority=priority: send(priority))  # type: ignore[misc]
    sim.run(30)
    assert sim.statuses == {200: len(arrivals)}
    assert max(len(batch) for _, _, batch in sim.batches) <= cap
    for priority in range(3):
        starts = [r.start for _, _, batch in sim.batches for r in batch if r.priority == priority]
        assert starts == sorted(starts)


@EXAMPLES
@given(
    st.lists(
        st.tuples(st.floats(0, 0.5), st.sampled_from((0.001, 0.02, 0.1, 0.5, 60.0)), st.booleans()),
        min_size=1,
        max_size=100,
    ),
    st.integers(1, 16),
    st.integers(1, 3),
    st.floats(1e-3, 0.2),
    st.booleans(),
)
def test_batching_4_5_nothing_runs_after_its_deadline_or_its_client(
    arrivals: list[tuple[float, float, bool]], cap: int, workers: int, a: float, swept: bool
) -> None:
    """Not one batch holds a request that was expired or gone when it was cut, swept before or not.

    Who is expired is told so: 504, or 503 where it was clear before; nobody twice, nobody never.
    """
    api = queue(cap=cap)
    sim = Simulation([api], affine(a, 1e-4), workers=workers)
    answers: dict[int, list[int]] = {}
    left: dict[int, float] = {}
    sent: list[Request] = []

    def arrive(timeout_s: float, leaves: bool) -> None:
        def note(request: Request, status: int) -> None:
            answers.setdefault(id(request), []).append(status)

        request = sim.send(api, note, timeout_s)
        sent.append(request)
        if leaves:
            sim.later(timeout_s / 2, lambda: leave(request))

    def leave(request: Request) -> None:
        if id(request) not in answers:
            left[id(request)] = sim.now
            sim.dispatcher.forget(request)

    for at, timeout_s, leaves in arrivals:
        sim.later(at, lambda t=timeout_s, gone=leaves: arrive(t, gone))  # type: ignore[misc]
    if swept:
        sweeping(sim, 1.0)
    sim.later(200.0, lambda: sim.dispatcher.sweep(sim.links))
    sim.run(300)
    for cut, _, batch in sim.batches:
        for request in batch:
            assert request.deadline > cut
            assert left.get(id(request), float("inf")) >= cut
    ran = {id(request) for _, _, batch in sim.batches for request in batch}
    for request in sent:
        found = answers.get(id(request), [])
        assert len(found) == (0 if id(request) in left else 1)
        if id(request) not in ran and found:
            assert found[0] in (503, 504)


def test_batching_4_the_deadline_itself_is_too_late() -> None:
    """One instant of the clock: the worker is free when the deadline is reached, not before."""
    api = queue(cap=1)
    sim = Simulation([api], affine(0.1, 0.0), read_s=0.0, write_s=0.0, hand_over_s=0.0)
    sim.later(0, lambda: sim.send(api, ignore))
    sim.later(0, lambda: sim.send(api, ignore, timeout_s=0.1))
    sim.later(0, lambda: sim.send(api, ignore, timeout_s=0.1001))
    sim.run(1)
    assert sim.statuses == {200: 2, 504: 1}
    assert [len(batch) for _, _, batch in sim.batches] == [1, 1]


@pytest.mark.parametrize("clients", [1, 2, 8, 128])
@pytest.mark.parametrize(("cost", "seconds"), [(RF, 1.0), (LR, 0.15)], ids=["RF", "LR"])
def test_batching_7_a_closed_loop_is_never_slower_than_eager(
    clients: int, cost: Cost, seconds: float
) -> None:
    """The clients start at random moments, so that a few batches more or less are chance."""
    eager = closed_loop(clients, cost, seconds, cohort=False)
    patient = closed_loop(clients, cost, seconds)
    assert patient.statuses[200] >= 0.97 * eager.statuses[200]


@EXAMPLES
@given(st.floats(1e-3, 0.02), st.floats(0, 2e-4), st.integers(2, 100), st.integers(1, 4))
def test_batching_8_single_requests_teach_nothing_bad_about_a_burst(
    a: float, b: float, burst: int, workers: int
) -> None:
    """0.13 learned from single calls that 100 take 100 times as long. What fits is not refused.

    Sizes that were never seen are approached by doubling, so that many calls have to fit as well.
    """
    cost = affine(a, b)
    doublings = 3 + burst.bit_length()
    api = queue(goal_s=1.2 * doublings * (cost(0, burst) + HAND_OVER_S + burst * 15e-6))
    sim = Simulation([api], cost, workers=workers)
    for i in range(30):
        sim.later(i * 2 * cost(0, 1), lambda: sim.send(api, ignore))
    sim.later(100 * cost(0, 1), lambda: [sim.send(api, ignore) for _ in range(burst)])
    sim.run(60)
    assert sim.statuses == {200: 30 + burst}


@pytest.mark.parametrize("workers", [1, 2])
def test_batching_9_ten_times_the_load_for_a_minute_leaves_no_hangover(workers: int) -> None:
    cost = affine(0.16, 4e-3)
    api = queue(cap=16, goal_s=2.0, limit=1024)
    sim = Simulation([api], cost, workers=workers)
    capacity = workers * 16 / cost(0, 16)
    open_loop(sim, api, 10 * capacity, 60.0)
    sim.run(64)
    assert sim.statuses[200] >= 0.9 * 60 * capacity
    assert sim.statuses[503] > sim.statuses[200]
    sim.latencies.clear()
    sim.later(1.0, lambda: sim.send(api, ignore))
    sim.run(70)
    assert sim.latencies[0] <= 1.2 * (cost(0, 1) + HAND_OVER_S)


@pytest.mark.parametrize("flood", [2.0, 10.0])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("busy_s", "quiet_s"), [(0.05, 0.005), (0.01, 0.01), (0.005, 0.05)])
def test_batching_10_a_flooded_api_leaves_the_other_its_share(
    flood: float, workers: int, busy_s: float, quiet_s: float
) -> None:
    """One is sent `flood` times what all workers can do. The other asks for 0.45 of them, less than half.

    It gets at least 0.9 of what it asks for, and its p99 keeps its goal.
    """
    goal_s, seconds = 1.0, 5.0
    busy = queue(cap=4, index=0, goal_s=goal_s, limit=200)
    quiet = queue(cap=4, index=1, goal_s=goal_s, limit=200)
    sim = Simulation(
        [busy, quiet],
        lambda api, n: (busy_s if api == 0 else quiet_s) * n,
        workers=workers,
        read_s=1e-7,
        write_s=1e-7,
        hand_over_s=1e-6,
    )
    open_loop(sim, busy, flood * workers / busy_s, seconds, seed=2)
    took: list[float] = []
    statuses: list[int] = []

    def note(request: Request, status: int) -> None:
        statuses.append(status)
        if status == 200:
            took.append(sim.now - request.start)

    rng, at = random.Random(3), 0.0
    while at < seconds:
        at += rng.expovariate(0.45 * workers / quiet_s)
        sim.later(at, lambda: sim.send(quiet, note))
    sim.run(seconds + 10)
    assert len(took) >= 0.9 * len(statuses), f"{len(took)} of {len(statuses)}"
    assert sorted(took)[int(0.99 * len(took))] <= goal_s


def test_batching_10_two_flooded_apis_share_the_worker_by_time_not_by_requests() -> None:
    slow, fast = queue(cap=4, index=0, limit=100), queue(cap=4, index=1, limit=100)
    sim = Simulation([slow, fast], lambda api, n: 0.02 if api == 0 else 0.002)
    for api in (slow, fast):
        open_loop(sim, api, 4000, 3.0, seed=api.index)
    sim.run(3.0)
    used = [sum(0.02 if a == 0 else 0.002 for _, a, _ in sim.batches if a == index) for index in (0, 1)]
    assert used[0] == pytest.approx(used[1], rel=0.1)


def drifting(factor: Callable[[float], float]) -> tuple[Simulation, ApiQueue]:
    """A model that was learned exactly, and whose cost is then `factor(now)` of that."""
    cost = affine(0.04, 2e-3)
    api = queue(cap=32, goal_s=0.6, limit=2000)  # room for few batches: admission looks at everybody
    api.model.prime([(n, cost(0, n)) for n in (1, 1, 8, 32, 32)], now=0.0)
    sim = Simulation([api], lambda _api, n: cost(0, n) * factor(sim.now))
    return sim, api


@pytest.mark.parametrize("factor", [0.5, 0.67, 1.5, 2.0])
@pytest.mark.parametrize("load", [0.5, 3.0])
def test_batching_11_a_model_that_is_wrong_by_half_locks_nobody_out(factor: float, load: float) -> None:
    """Under load everything ends; 5 s after it fell, at half the capacity, nobody is refused any more."""
    sim, api = drifting(lambda _now: factor)
    capacity = 32 / (factor * (0.04 + 32 * 2e-3))
    open_loop(sim, api, load * capacity, 5.0)
    sim.run(10.0)
    in_time = sim.statuses.get(200, 0)
    assert in_time >= 0.8 * min(1.0, load) * capacity * 5
    assert api.live == 0 and api.stats.in_progress == 0
    sim.statuses.clear()
    open_loop(sim, api, 0.5 * capacity, 3.0, seed=5)
    sim.run(20.0)
    assert set(sim.statuses) == {200}


def test_batching_11_a_stall_does_not_lock_the_door() -> None:
    """Calls that take 50 times as long for two seconds, under full load; then all is as before."""
    sim, api = drifting(lambda now: 50.0 if 2.0 <= now < 4.0 else 1.0)
    capacity = 32 / (0.04 + 32 * 2e-3)
    open_loop(sim, api, 0.7 * capacity, 12.0)
    sim.run(9.0)  # five seconds after the stall
    assert sim.statuses.get(503, 0) > 0
    sim.statuses.clear()
    sim.run(13.0)
    assert set(sim.statuses) == {200}


@EXAMPLES
@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0.3, 3.0)), min_size=2, max_size=80),
    st.integers(1, 3),
    st.floats(0.01, 0.5),
)
def test_batching_11_nothing_deadlocks_however_wrong_the_model(
    arrivals: list[tuple[float, float]], workers: int, goal_s: float
) -> None:
    """Each batch costs another multiple of what was learned; a worker is never idle while anybody waits."""
    factors = [factor for _, factor in arrivals]
    calls = iter(range(10**6))
    api = queue(cap=8, goal_s=goal_s)
    api.model.prime([(n, 0.02 + 1e-3 * n) for n in (1, 1, 8)], now=0.0)
    sim = Simulation(
        [api], lambda _api, n: (0.02 + 1e-3 * n) * factors[next(calls) % len(factors)], workers=workers
    )
    for at, _ in arrivals:
        sim.later(at, lambda: sim.send(api, ignore))
    idle_and_waiting = 0

    def look() -> None:
        nonlocal idle_and_waiting
        held = api.apart_until > sim.now
        if api.live and not held and any(link.busy is None for link in sim.links):
            idle_and_waiting += 1

    for i in range(400):
        sim.later(i * 0.01 + 5e-3, look)
    sim.run(60)
    assert sum(sim.statuses.values()) == len(arrivals)
    assert set(sim.statuses) <= {200, 503}
    assert api.live == 0
    assert idle_and_waiting <= 1  # a look may fall between an arrival and its tick


@EXAMPLES
@given(
    st.lists(st.floats(0, 0.05), min_size=1, max_size=120),
    st.integers(1, 64),
    st.integers(1, 4),
    st.floats(1e-5, 5e-3),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_batching_12_every_request_ends_exactly_once(
    arrivals: list[float], cap: int, workers: int, fixed_s: float, deaths: int, rng: random.Random
) -> None:
    """Answered or gone, never both and never neither; clients leave, workers die, the queue overflows."""
    api = queue(cap=cap, limit=40, idempotent=rng.random() < 0.5)
    sim = Simulation([api], affine(fixed_s, 1e-5), workers=workers)
    answered: dict[int, int] = {}
    gone: set[int] = set()
    sent: list[Request] = []

    def arrive() -> None:
        request = sim.send(api, lambda r, _status: answered.__setitem__(id(r), answered.get(id(r), 0) + 1))
        sent.append(request)
        if rng.random() < 0.2:
            sim.later(rng.random() * 0.01, lambda: leave(request))

    def leave(request: Request) -> None:
        if id(request) not in answered:
            gone.add(id(request))
            sim.dispatcher.forget(request)

    def die() -> None:
        link = sim.links[rng.randrange(workers)]
        sim.dispatcher.link_lost(link)
        sim.later(1e-3, lambda: sim.dispatcher.add_link(link))

    for at in arrivals:
        sim.later(at, arrive)
    for _ in range(deaths):
        sim.later(rng.random() * 0.05, die)
    sim.run(10)
    assert len(answered) + len(gone) == len(arrivals)
    assert set(answered.values()) <= {1}
    assert not gone & set(answered)
    assert api.live == 0
    assert api.stats.in_progress == 0
    assert all(len(batch) <= cap for _, _, batch in sim.batches)
