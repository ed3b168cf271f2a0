"""Workers give way to the front: their niceness and scheduling, as the system sees them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.server.live.process import serving, until
from tests.server.live.wire import get

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.timeout(120),
]


def worker_threads(port: int) -> list[int]:
    """Every thread of every worker, once all of them serve."""

    def ready() -> list[int] | None:
        workers = json.loads(get(port, "/debug/batching").body)["workers"]
        return [w["pid"] for w in workers] if all(w["state"] == "ready" for w in workers) else None

    pids = until(ready, 60, "the workers")
    assert pids
    return [int(thread) for pid in pids for thread in os.listdir(f"/proc/{pid}/task")]


def niceness(thread: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["spawned", "forked"])
def test_workers_are_nicer_than_the_front(probe_bundle: Path, tmp_path: Path, options: list[str]) -> None:
    with serving(probe_bundle, tmp_path, ["--workers", "2", *options]) as server:
        front, workers = niceness(server.pid), worker_threads(server.port)
        assert front == niceness(0)
        assert {niceness(thread) for thread in workers} == {min(19, front + 5)}
        assert {os.sched_getscheduler(thread) for thread in workers} == {os.SCHED_BATCH}
        assert os.sched_getscheduler(server.pid) == os.SCHED_OTHER
        assert server.stop() == 0


@pytest.mark.parametrize(("given", "more"), [("0", 0), ("12", 12)])
def test_how_much_is_a_setting(probe_bundle: Path, tmp_path: Path, given: str, more: int) -> None:
    with serving(probe_bundle, tmp_path, env={"BENTOML_WORKER_NICENESS": given}) as server:
        wanted = min(19, niceness(server.pid) + more)
        policy = os.SCHED_BATCH if more else os.SCHED_OTHER
        for thread in worker_threads(server.port):
            assert (niceness(thread), os.sched_getscheduler(thread)) == (wanted, policy)
        assert server.stop() == 0
