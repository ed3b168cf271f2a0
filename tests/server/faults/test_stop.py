"""Stopping: nothing that was sent is lost, and nothing outlives the server (P1, P21, F01-F06, F38)."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from tests.server.live.load import LOST, Load
from tests.server.live.process import free_port, is_running, promised, serving, until
from tests.server.live.wire import JSON, Answer, Hangup, Wire, get, post, request, still_serves

pytestmark = pytest.mark.timeout(300)

SLOW = {"BENTOML_LOG_FILE": "false"}


class InBackground:
    """One request whose answer is waited for elsewhere."""

    def __init__(self, port: int, data: bytes, patience_s: float = 90) -> None:
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.took_s = 0.0
        self._wire = Wire(port, patience_s).send(data)
        self._start = time.monotonic()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._wire.answer()
        except (Hangup, OSError) as err:
            self.error = err
        self.took_s = time.monotonic() - self._start
        self._wire.sock.close()

    def result(self) -> Answer:
        self._thread.join(100)
        assert self.answer is not None, self.error
        return self.answer


@pytest.mark.parametrize("number", [SIGTERM, SIGINT], ids=["term", "int"])
@pytest.mark.parametrize("idle_connection", [False, True], ids=["alone", "connected"])
def test_F01_stop_when_idle(probe_bundle: Path, tmp_path: Path, number: int, idle_connection: bool) -> None:
    with serving(probe_bundle, tmp_path) as server, contextlib.ExitStack() as stack:
        workers = server.workers()
        if idle_connection:
            wire = stack.enter_context(Wire(server.port))
            assert wire.send(request("/echo", headers=JSON)).answer().status == 200
        start = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - start <= promised(1)
        assert not any(map(is_running, workers))


def stop_under_load(bundle: Path, folder: Path, number: int = SIGTERM) -> None:
    def make(i: int) -> bytes:
        if i % 4 == 3:
            return request("/slow", b'{"ms": 20}', headers=JSON)
        return request(("/echo", "/echo1")[i % 2], b"%d" % i, headers=JSON)

    with serving(bundle, folder, env=SLOW) as server:
        with Wire(server.port) as probe:
            assert probe.send(request("/readyz", None, "GET")).answer().status == 200
            load = Load(server.port, 64, 200, make).start()
            until(lambda: len(load.outcomes) > 100)
            signalled = time.monotonic()
            server.signal(number)
            answer = until(lambda: not_ready(probe), promised(0.1), "readiness turning false")
            assert answer.closes
        code = server.wait()
        outcomes = load.stop()
    assert code == 0
    before = [o for o in outcomes if o.sent_at <= signalled]
    after = [o for o in outcomes if o.sent_at > signalled]
    assert len(before) > 100
    assert {o.status for o in before} == {200}
    # A connection that rested for as long as the server lingers may be closed just when it is used.
    in_use = [o for o in after if o.idle_s < 0.4]
    assert [o for o in in_use if o.status not in (200, 503)] == []
    assert [o for o in after if o.status == LOST and o.idle_s == 0.0] == []


def not_ready(probe: Wire) -> Answer | None:
    answer = probe.send(request("/readyz", None, "GET")).answer()
    return answer if answer.status == 503 else None


def test_F02_P1_stop_under_load(probe_bundle: Path, tmp_path: Path) -> None:
    for i in range(2):
        stop_under_load(probe_bundle, tmp_path / str(i), (SIGTERM, SIGINT)[i])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_F02_P1_a_hundred_stops_under_load(probe_bundle: Path, tmp_path: Path) -> None:
    for i in range(100):
        stop_under_load(probe_bundle, tmp_path / str(i))


def test_F03_P1_a_long_request_is_finished(probe_bundle: Path, tmp_path: Path) -> None:
    with serving(probe_bundle, tmp_path) as server:
        long = InBackground(server.port, request("/slow1", b'{"ms": 3000, "id": "x"}', headers=JSON))
        until(lambda: server.executions("slow1"))
        server.signal()
        answer = long.result()
        assert (answer.status, answer.json(), answer.closes) == (200, 3000, True)
        assert server.wait() == 0


@pytest.mark.parametrize("route", ["slow", "slow1"])
def test_F04_P1_longer_than_the_grace(probe_bundle: Path, tmp_path: Path, route: str) -> None:
    with serving(probe_bundle, tmp_path, env={"BENTOML_GRACE": "1"}) as server:
        running = InBackground(server.port, request(f"/{route}", b'{"ms": 60000, "id": "x"}', headers=JSON))
        until(lambda: server.executions(route))
        waiting = InBackground(server.port, request("/echo1", headers=JSON))
        until(lambda: in_progress(server.port) == 2)
        server.signal()
        assert server.wait(promised(5)) == 0
        for answer in (running.result(), waiting.result()):
            assert answer.status in (503, 504)
            assert "retry-after" in answer.headers
        assert "unfinished requests" in server.log


def in_progress(port: int) -> int:
    import json

    page = json.loads(get(port, "/debug/batching").body)
    return sum(row["in_progress"] for row in page["apis"])


def test_F05_P1_a_second_signal_ends_it_at_once(probe_bundle: Path, tmp_path: Path) -> None:
    with serving(probe_bundle, tmp_path) as server:
        long = InBackground(server.port, request("/slow1", b'{"ms": 60000, "id": "x"}', headers=JSON))
        until(lambda: server.executions("slow1"))
        server.signal()
        until(lambda: "Stopping" in server.log)
        start = time.monotonic()
        server.signal()
        assert server.wait() == 0
        assert time.monotonic() - start <= promised(2)
        assert long.result().status == 503


@pytest.mark.parametrize("doing", ["nothing", "spin", "sleep"])
def test_F06_P21_no_worker_outlives_the_server(probe_bundle: Path, tmp_path: Path, doing: str) -> None:
    port = free_port()
    with serving(probe_bundle, tmp_path, ["--workers", "2", "--port", str(port)]) as server:
        workers = until(lambda: server.workers() if len(server.workers()) == 2 else None)
        wire = None
        if doing != "nothing":
            wire = Wire(port).send(
                request("/boom1", b'{"do": "%s", "s": 60, "id": "x"}' % doing.encode(), headers=JSON)
            )
            until(lambda: server.executions("boom1"))
        start = time.monotonic()
        server.process.send_signal(SIGKILL)
        server.process.wait()
        until(lambda: not any(map(is_running, workers)), promised(2), "the end of the workers")
        assert time.monotonic() - start <= promised(2)
        if wire is not None:
            wire.sock.close()
        with serving(probe_bundle, tmp_path / "again", ["--port", str(port)]) as another:
            still_serves(another.port)


def cycles(bundle: Path, folder: Path, count: int) -> None:
    port = free_port()
    home = {"BENTOML_HOME": str(folder / "home")}
    for i in range(count):
        with serving(bundle, folder / str(i), ["--port", str(port)], home) as server:
            assert server.port == port
            assert post(port, "/echo", i).json() == i
            if i % 3 == 2:
                server.process.send_signal(SIGKILL)
                server.process.wait()
            else:
                assert server.stop() == 0
    left = list((folder / "home" / "serving").iterdir())
    assert len(left) <= 1  # of a server that was killed last; the next one clears it away


def test_F38_stop_and_start_without_pause(probe_bundle: Path, tmp_path: Path) -> None:
    cycles(probe_bundle, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_F38_fifty_cycles(probe_bundle: Path, tmp_path: Path) -> None:
    cycles(probe_bundle, tmp_path, 50)
