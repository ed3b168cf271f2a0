"""What a real worker sees and does before it is ready: its devices, its warm-up calls."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.e2e.processes import Server, run, serving

SERVICE = """
import os
import sys
import time

import bentoml
from bentoml.adapters import DataframeInput, JsonInput


def note(*words):
    with open(os.environ["NOTES"], "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")


class Noted(bentoml.BentoService):
    @bentoml.on_worker_start
    def start(self):
        note("start", os.environ["BENTOML_WORKER_INDEX"], os.environ.get("CUDA_VISIBLE_DEVICES", "-"),
             "torch" in sys.modules)

    @bentoml.api(input=JsonInput(), batch=True, mb_max_batch_size=16, example={"n": 1})
    def sizes(self, values):
        note("sizes", len(values))
        return values

    @bentoml.api(input=JsonInput(), example=1)
    async def waits(self, value):
        note("waits", value)
        return value

    @bentoml.api(input=DataframeInput(), batch=True, max_batch_rows=10)
    def table(self, frame):
        note("table", len(frame))
        time.sleep(0.05)
        return frame["a"].tolist()

    @bentoml.api(input=JsonInput(), example=1)
    def broken(self, value):
        raise ValueError("the example is for readers only")


if __name__ == "__main__":
    from noted import Noted as Saved

    Saved().save_to_dir(sys.argv[1])
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noted")
    (folder / "noted.py").write_text(SERVICE)
    (folder / "bundle").mkdir()
    run([sys.executable, "noted.py", str(folder / "bundle")], folder, folder / "home")
    return folder / "bundle"


def start(bundle: Path, folder: Path, *options: str, **variables: str) -> Any:
    command = [sys.executable, "-m", "bentoml", "serve", str(bundle), "--port", "0", *options]
    given = {"NOTES": str(folder / "notes"), "BENTOML_HOST": "127.0.0.1", **variables}
    return serving(["env", *(f"{name}={value}" for name, value in given.items()), *command], folder, folder)


def notes(folder: Path, kind: str) -> list[list[str]]:
    lines = (folder / "notes").read_text().splitlines()
    return [words[1:] for words in map(str.split, lines) if words[0] == kind]


def logged(log: Path, api: str) -> list[str]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if json.loads(line)["api"] == api]


def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    end = monotonic() + within_s
    while not true():
        assert monotonic() < end
        sleep(0.02)


def ask(server: Server, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{server.address}{path}", data, timeout=30) as answer:
        return json.load(answer)


def workers_ready(server: Server) -> int:
    """Workers that have run their examples and said so."""
    return sum(row["state"] == "ready" for row in ask(server, "/debug/batching")["workers"])


@pytest.fixture(scope="module")
def pinned(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("pinned")
    with start(bundle, folder, "--workers", "2", "--devices", "3,5") as server:
        until(lambda: workers_ready(server) == 2, 90)  # the server runs when the first one is ready
        assert ask(server, "/sizes", {"n": 7}) == {"n": 7}
        yield server, folder


def test_each_worker_sees_its_own_device_and_nobody_imports_torch(pinned: tuple[Server, Path]) -> None:
    _, folder = pinned
    assert sorted(notes(folder, "start")) == [["0", "3", "False"], ["1", "5", "False"]]


def test_examples_run_before_the_first_request_and_are_in_no_log(pinned: tuple[Server, Path]) -> None:
    server, folder = pinned
    sizes = [int(size) for (size,) in notes(folder, "sizes")]
    assert sizes[:3] == [1, 1, 1]
    assert 16 in sizes
    assert len(notes(folder, "waits")) == 2 * 2
    assert "the example is for readers only" in server.lines
    before = len(notes(folder, "waits"))
    assert [ask(server, "/waits", n) for n in (42, 43)] == [42, 43]
    assert len(notes(folder, "waits")) == before + 2
    log = folder / "logs" / "prediction.log"
    until(lambda: len(logged(log, "waits")) >= 2)
    assert len(logged(log, "waits")) == 2
    assert logged(log, "broken") == []


def test_the_server_knows_the_cost_before_the_first_request(pinned: tuple[Server, Path]) -> None:
    server, _ = pinned
    page = ask(server, "/debug/batching")
    (row,) = [row for row in page["apis"] if row["route"] == "sizes"]
    assert row["trusted"] is True
    assert row["batches_seen"] >= 3
    assert row["cost_fixed_s"] > 0
    assert row["largest_batch"] == 16
    assert row["refused"] == {}


def test_warm_up_can_be_switched_off_and_devices_hidden(bundle: Path, tmp_path: Path) -> None:
    with start(bundle, tmp_path, "--devices", "cpu", BENTOML_WARMUP="false") as server:
        assert notes(tmp_path, "start") == [["0", "-1", "False"]]
        assert notes(tmp_path, "sizes") == []
        assert ask(server, "/debug/batching")["apis"][0]["batches_seen"] == 0


def tables_of_four(server: Server) -> None:
    """Thirty requests at once, of four rows each."""
    bodies = [[{"a": 4 * i + k} for k in range(4)] for i in range(30)]
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda body: ask(server, "/table", body), bodies))
    assert answers == [[4 * i + k for k in range(4)] for i in range(30)]


def test_no_call_has_more_rows_than_the_api_allows(pinned: tuple[Server, Path]) -> None:
    server, folder = pinned
    tables_of_four(server)
    calls = [int(rows) for (rows,) in notes(folder, "table")]
    assert sum(calls) == 120
    assert max(calls) == 8
    (row,) = [row for row in ask(server, "/debug/batching")["apis"] if row["route"] == "table"]
    assert row["largest_batch_rows"] == 10
    tables_of_four(server)  # what a body holds is known now, so that batches are cut right at once
    (row,) = [row for row in ask(server, "/debug/batching")["apis"] if row["route"] == "table"]
    assert row["rows_per_byte"] > 0


def test_an_operator_may_allow_other_rows_in_a_call(bundle: Path, tmp_path: Path) -> None:
    with start(bundle, tmp_path, BENTOML_MB_MAX_BATCH_ROWS="4") as server:
        tables_of_four(server)
        assert {rows for (rows,) in notes(tmp_path, "table")} == {"4"}
