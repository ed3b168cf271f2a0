"""Servers that cannot start, or whose service cannot be loaded (P14, F13, F16, F36)."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest

from tests.server.live.process import cpu_s, free_port, promised, serving, starting, until
from tests.server.live.wire import get, post, still_serves

pytestmark = pytest.mark.timeout(300)

AGAIN_IN = re.compile(r"will be started again in ([\d.]+) s")


def last_line(log: str) -> str:
    return [line for line in log.splitlines() if line.strip()][-1]


def test_F16_P14_load_fails(probe_bundle: Path, tmp_path: Path) -> None:
    """What the service said is the last line; nothing listens afterwards."""
    port = free_port()
    with starting(probe_bundle, tmp_path, ["--port", str(port)], {"PROBE_LOAD": "raise"}) as server:
        assert server.wait(60) == 1
        assert "RuntimeError: the weights are not there" in last_line(server.log)
        assert "could not be loaded" in last_line(server.log)
        assert not listens(port)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_F16_P14_load_hangs(probe_bundle: Path, tmp_path: Path) -> None:
    """Not ready, alive, and the worker is ended after the time it may take."""
    port = free_port()
    env = {"PROBE_LOAD": "hang", "BENTOML_LOAD_TIMEOUT": "2"}
    with starting(probe_bundle, tmp_path, ["--port", str(port)], env) as server:
        until(lambda: listens(port), 60)
        first = until(server.workers)
        assert get(port, "/livez").status == 200
        assert get(port, "/readyz").status == 503
        answer = post(port, "/echo", 1)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        until(lambda: "it was not ready after 2 s" in server.log, 60)
        until(lambda: server.workers() and server.workers() != first, 60, "another try")
        assert get(port, "/readyz").status == 503
        assert server.stop() == 0


def test_F13_P14_crash_loop_backs_off(probe_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    with starting(probe_bundle, tmp_path, ["--port", str(port)], {"PROBE_LOAD": "exit"}) as server:
        until(lambda: len(AGAIN_IN.findall(server.log)) >= 3, 90, "the third try")
        assert AGAIN_IN.findall(server.log)[:3] == ["1", "2", "4"]
        assert get(port, "/readyz").status == 503
        assert "no worker could load the service" in get(port, "/readyz").body.decode()
        assert server.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_F13_crash_loop_to_its_end(probe_bundle: Path, tmp_path: Path) -> None:
    """1, 2, 4, … 30 s between tries, hardly any CPU, and at last an end that says why."""
    port = free_port()
    with starting(probe_bundle, tmp_path, ["--port", str(port)], {"PROBE_LOAD": "exit"}) as server:
        until(lambda: listens(port), 60)
        used, start = cpu_s(server.pid), time.monotonic()
        until(lambda: len(AGAIN_IN.findall(server.log)) >= 6, 120)
        share = (cpu_s(server.pid) - used) / (time.monotonic() - start)
        assert share < 0.05
        assert server.wait(300) == 1
        assert AGAIN_IN.findall(server.log) == ["1", "2", "4", "8", "16", "30", "30", "30", "30"]
        assert "exit code 9" in last_line(server.log)


def test_F13_a_worker_that_comes_back_serves(probe_bundle: Path, tmp_path: Path) -> None:
    """Loading fails for a while – a model store that is down – and then works again."""
    how = tmp_path / "how"
    how.write_text("exit")
    port = free_port()
    env = {"PROBE_LOAD_FILE": str(how)}
    with starting(probe_bundle, tmp_path, ["--port", str(port)], env) as server:
        until(lambda: AGAIN_IN.findall(server.log), 60)
        how.write_text("")
        server.wait_until_running()
        until(lambda: get(port, "/readyz").status == 200, 60)
        still_serves(port)


def test_F36_port_in_use(probe_bundle: Path, tmp_path: Path) -> None:
    with serving(probe_bundle, tmp_path / "first") as first:
        args = ["--port", str(first.port)]
        refused(probe_bundle, tmp_path, args, {}, f"cannot listen on 127.0.0.1:{first.port}")
        still_serves(first.port)


@pytest.mark.parametrize(
    ("args", "env", "text"),
    [
        ([], {"BENTOML_TIMEOUT": "soon"}, "BENTOML_TIMEOUT"),
        ([], {"BENTOML_CONFIG": "/nowhere/bentoml.yml"}, "/nowhere/bentoml.yml"),
        (["--workers", "none"], {}, "'none' is not a valid integer"),
        (["--no-such-option"], {}, "No such option"),
        (["--devices", "cuda:0"], {}, "device"),
    ],
    ids=["variable", "file", "value", "option", "device"],
)
def test_F36_bad_configuration(
    probe_bundle: Path, tmp_path: Path, args: list[str], env: dict[str, str], text: str
) -> None:
    refused(probe_bundle, tmp_path, args, env, text)


def test_F36_missing_bundle(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", tmp_path, [], {}, "nothing")


def refused(bundle: Path, folder: Path, args: list[str], env: dict[str, str], text: str) -> None:
    with starting(bundle, folder / "refused", args, env) as server:
        start = time.monotonic()
        assert server.wait(60) != 0
        assert time.monotonic() - start <= promised(2)
        assert text in server.log
        assert "Traceback" not in server.log
