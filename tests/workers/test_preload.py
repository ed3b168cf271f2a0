"""Workers forked from a process that has loaded the service: P1, P2, P21 hold for them too."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import pytest

from bentoml.workers.template import is_supported
from tests.e2e.processes import Server, environment, run, serving

pytestmark = pytest.mark.skipif(not is_supported(), reason="needs Linux with pidfd_open")
PATIENCE_S = 60.0

SERVICE = """
import os
import sys
import threading

import numpy

import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact

LOADED_BY = os.getpid()
if os.environ.get("SERVICE_STARTS_THREAD"):
    threading.Thread(target=threading.Event().wait, name="of-the-service", daemon=True).start()
if os.environ.get("SERVICE_FAILS"):
    raise RuntimeError("this service cannot be loaded")
STARTED = []


@bentoml.artifacts([PickleArtifact("table")])
class Forked(bentoml.BentoService):
    @bentoml.on_worker_start
    def start(self):
        STARTED.append(os.getpid())
        threading.Thread(target=threading.Event().wait, daemon=True).start()

    @bentoml.api(input=JsonInput(), batch=True)
    def who(self, values):
        return [
            {"pid": os.getpid(), "loaded_by": LOADED_BY, "started": STARTED,
             "index": os.environ["BENTOML_WORKER_INDEX"],
             "random": numpy.random.random(), "sum": float(self.artifacts.table.sum())}
            for _ in values
        ]

    @bentoml.api(input=JsonInput())
    def end(self, code):
        os._exit(code)


if __name__ == "__main__":
    from forked import Forked as Saved

    service = Saved()
    service.pack("table", numpy.ones((16, 1 << 20)))
    service.save_to_dir(sys.argv[1])
"""
TABLE_MIB = 128


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forked")
    (folder / "forked.py").write_text(SERVICE)
    (folder / "bundle").mkdir()
    run([sys.executable, "forked.py", str(folder / "bundle")], folder, folder / "home")
    return folder / "bundle"


def start(bundle: Path, folder: Path, *options: str, **variables: str) -> Any:
    command = [sys.executable, "-m", "bentoml", "serve", str(bundle), "--port", "0", "--preload", *options]
    given = {"BENTOML_HOST": "127.0.0.1", "OPENBLAS_NUM_THREADS": "2", **variables}
    return serving(["env", *(f"{name}={value}" for name, value in given.items()), *command], folder, folder)


def post(server: Server, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{server.address}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        return json.load(response)


def until(true: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    end = monotonic() + within_s
    while not true():
        assert monotonic() < end
        sleep(0.05)


def worker_table(server: Server) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{server.address}/debug/batching", timeout=PATIENCE_S) as answer:
        table: list[dict[str, Any]] = json.load(answer)["workers"]
    return table


def ready_pids(server: Server) -> set[int]:
    return {row["pid"] for row in worker_table(server) if row["state"] == "ready"}


def answers_of_all(server: Server, count: int) -> dict[int, dict[str, Any]]:
    """One answer of each of `count` workers, by its pid; idle workers are asked together."""
    found: dict[int, dict[str, Any]] = {}

    def ask_together() -> bool:
        with ThreadPoolExecutor(2 * count) as pool:
            for answer in pool.map(lambda _: post(server, "who", 1), range(2 * count)):
                found[answer["pid"]] = answer
        return len(found) >= count

    until(ask_together)
    return found


@pytest.fixture(scope="module")
def forked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start(bundle, tmp_path_factory.mktemp("served"), "--workers", "3") as server:
        until(lambda: len(ready_pids(server)) == 3)
        yield server


def test_workers_are_copies_of_one_process_that_loaded_the_service(forked: Server) -> None:
    answers = answers_of_all(forked, 3)
    assert set(answers) == ready_pids(forked)
    loaders = {answer["loaded_by"] for answer in answers.values()}
    assert len(loaders) == 1
    assert loaders.isdisjoint(answers)
    assert psutil.Process(loaders.pop()).ppid() == forked.process.pid


def test_hooks_run_in_each_worker_which_knows_its_index(forked: Server) -> None:
    answers = answers_of_all(forked, 3)
    assert all(answer["started"] == [pid] for pid, answer in answers.items())
    assert sorted(answer["index"] for answer in answers.values()) == ["0", "1", "2"]


def test_workers_draw_different_random_numbers(forked: Server) -> None:
    assert len({answer["random"] for answer in answers_of_all(forked, 3).values()}) == 3


def test_the_memory_of_the_model_is_there_once(forked: Server) -> None:
    answers = answers_of_all(forked, 3)
    assert {answer["sum"] for answer in answers.values()} == {16.0 * (1 << 20)}  # every page was read
    private = [psutil.Process(pid).memory_full_info().uss / (1 << 20) for pid in answers]
    assert max(private) < TABLE_MIB / 2


def test_p2_killed_and_exited_workers_are_forked_again(bundle: Path, tmp_path: Path) -> None:
    with start(bundle, tmp_path, "--workers", "2") as server:
        until(lambda: len(ready_pids(server)) == 2)
        loader = post(server, "who", 1)["loaded_by"]
        killed = min(ready_pids(server))
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in ready_pids(server) and len(ready_pids(server)) == 2)
        with contextlib.suppress(urllib.error.HTTPError):
            post(server, "end", 7)
        until(lambda: len(ready_pids(server)) == 2)
        assert {answer["loaded_by"] for answer in answers_of_all(server, 2).values()} == {loader}


def test_p2_workers_come_back_when_the_process_that_forks_them_dies(bundle: Path, tmp_path: Path) -> None:
    with start(bundle, tmp_path, "--workers", "2") as server:
        until(lambda: len(ready_pids(server)) == 2)
        loader = post(server, "who", 1)["loaded_by"]
        os.kill(loader, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(loader))
        until(lambda: len(ready_pids(server)) == 2 and _answers_from_another(server, loader))


def _answers_from_another(server: Server, loader: int) -> bool:
    try:
        return bool(post(server, "who", 1)["loaded_by"] != loader)
    except urllib.error.HTTPError as err:
        assert err.code == 503
        return False


def test_p21_nothing_is_left_after_the_server_was_killed(bundle: Path, tmp_path: Path) -> None:
    with contextlib.suppress(AssertionError), start(bundle, tmp_path, "--workers", "2") as server:
        until(lambda: len(ready_pids(server)) == 2)
        tree = psutil.Process(server.process.pid).children(recursive=True)
        assert len(tree) == 3
        server.process.kill()
        _, alive = psutil.wait_procs(tree, timeout=PATIENCE_S)
        if alive:
            pytest.fail(f"{alive} outlived the server")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_that_starts_threads_is_loaded_by_each_worker(
    bundle: Path, tmp_path: Path, workers: str
) -> None:
    with start(bundle, tmp_path, "--workers", workers, SERVICE_STARTS_THREAD="1") as server:
        until(lambda: len(ready_pids(server)) == int(workers))
        answer = post(server, "who", 1)
        assert answer["loaded_by"] == answer["pid"]
        assert "it started threads while it was loaded (of-the-service)" in server.lines


def test_a_service_that_cannot_be_loaded_says_so_as_ever(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bentoml", "serve", str(bundle), "--port", "0", "--preload"]
    environ = {**environment(tmp_path), "SERVICE_FAILS": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0
    assert "this service cannot be loaded" in ended.stdout + ended.stderr
