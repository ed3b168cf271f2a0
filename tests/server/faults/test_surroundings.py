"""Full disks, readers that do not read, clocks that jump (P16, P18, F20, F37)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.server.live.process import ServerProcess, free_port, promised, serving, starting, until
from tests.server.live.wire import JSON, Wire, get, post, request, still_serves

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """A directory, and what to put before a command so that it finds a file system of 4 MiB there."""
    folder = tmp_path / "small"
    folder.mkdir()
    script = f'mount -t tmpfs -o size=4m tmpfs "{folder}" && exec "$@"'
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    wrapper = [*unshare, "sh", "-c", script, "sh"]
    try:
        subprocess.run([*wrapper, "true"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as err:
        pytest.skip(f"no file system can be mounted here: {err}")
    yield folder, wrapper


def test_F20_P16_disk_full_while_serving(
    probe_bundle: Path, tmp_path: Path, small_disk: tuple[Path, Sequence[str]]
) -> None:
    """Predictions go on, with one warning for each log, also in a worker that starts meanwhile."""
    folder, wrapper = small_disk
    env = {"BENTOML_LOG_DIRECTORY": str(folder / "logs"), "TMPDIR": str(folder)}
    with serving(probe_bundle, tmp_path, env=env, wrapper=wrapper) as server:
        text = "x" * 100_000
        with Wire(server.port) as wire:
            for i in range(120):
                answer = wire.send(
                    request("/echo", b'["%s", %d]' % (text.encode(), i), headers=JSON)
                ).answer()
                assert (answer.status, answer.json()) == (200, [text, i])
            for _ in range(20):  # what the log of the server itself is told
                assert wire.send(request("/boom1", b'{"do": "raise"}', headers=JSON)).answer().status == 500
        until(lambda: "No space left on device" in server.log)
        told = [line for line in server.log.splitlines() if "No space left on device" in line]
        assert len([line for line in told if "prediction.log" in line]) == 1
        assert len(told) <= 3
        (old,) = server.workers()
        os.kill(old, 9)
        until(lambda: server.workers() and server.workers() != [old], 60)
        until(lambda: get(server.port, "/readyz").status == 200, 60)
        still_serves(server.port)
        assert get(server.port, "/metrics").status == 200
        assert server.stop() == 0


def test_P16_a_reader_of_the_log_that_does_not_read(probe_bundle: Path, tmp_path: Path) -> None:
    """The console is a full pipe: more than it holds is logged, and everything is answered."""
    port = free_port()
    reading, writing = os.pipe()
    try:
        with starting(probe_bundle, tmp_path, ["--port", str(port)], output=writing) as server:
            os.close(writing)
            writing = -1
            until(lambda: is_ready(port), 60)
            with Wire(port) as wire:
                start = time.monotonic()
                for _ in range(300):  # a traceback each
                    answer = wire.send(request("/boom1", b'{"do": "raise"}', headers=JSON)).answer()
                    assert answer.status == 500
                assert time.monotonic() - start < promised(5)
            still_serves(port)
            assert server.stop() == 0
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)


def is_ready(port: int) -> bool:
    try:
        return get(port, "/readyz").status == 200
    except OSError:
        return False


def test_P16_P15_credentials_are_in_no_log_and_no_answer(probe_bundle: Path, tmp_path: Path) -> None:
    secret = "s3cr3t-of-a-client"
    fields = {
        "Authorization": f"Bearer {secret}",
        "Cookie": f"session={secret}",
        "Proxy-Authorization": f"Basic {secret}",
        "X-Api-Key": secret,
    }
    with serving(probe_bundle, tmp_path, env={"BENTOML_LOG_LEVEL": "DEBUG"}) as server:
        for route, value in (
            ("/echo", 1),
            ("/boom1", {"do": "raise"}),
            ("/boom1", {"do": "exit"}),
            ("/x", 1),
        ):
            assert secret.encode() not in post(server.port, route, value, fields).body
        assert post(server.port, "/echo", body=b"{", headers=fields).status == 400
        until(lambda: get(server.port, "/readyz").status == 200, 60)
        logs = server.folder / "home" / "logs"
        until(lambda: (logs / "prediction.log").exists() and (logs / "prediction.log").read_text())
        assert server.stop() == 0
        files = [server.log_file, *logs.iterdir()]
        assert len(files) >= 3
        assert not [file.name for file in files if secret in file.read_text(errors="replace")]


SHIM = """
import os, time

_real, _file = time.time, os.environ["CLOCK_FILE"]


def shifted():
    try:
        with open(_file) as file:
            return _real() + float(file.read() or 0)
    except OSError:
        return _real()


time.time = shifted
time.time_ns = lambda: int(shifted() * 1e9)
"""


@pytest.fixture
def jumping(probe_bundle: Path, tmp_path: Path) -> Iterator[tuple[ServerProcess, Path]]:
    """A server whose wall clock is off by what a file says."""
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text(SHIM)
    clock = tmp_path / "clock"
    env = {"PYTHONPATH": str(tmp_path / "shim"), "CLOCK_FILE": str(clock), "BENTOML_TIMEOUT": "5"}
    with serving(probe_bundle, tmp_path, env=env) as server:
        yield server, clock


def test_F37_P18_clock_jumps_while_serving(jumping: tuple[ServerProcess, Path]) -> None:
    """An hour forth and back: no answer is early, late or lost, and no worker is blamed."""
    server, clock = jumping
    workers = server.workers()
    with Wire(server.port) as kept:
        for shift in (3600, -3600, 0, 86_400, -86_400):
            with Wire(server.port) as wire:
                wire.send(request("/slow1", b'{"ms": 500, "id": "x"}', headers=JSON))
                until(lambda: server.executions("slow1"))
                start = time.monotonic()
                clock.write_text(str(shift))
                late = post(server.port, "/echo1", 1, {"X-Request-Timeout-Ms": "100"})
                assert late.status in (200, 504)
                assert time.monotonic() - start <= 0.6 + promised(0.1)
                assert wire.answer().json() == 500
            assert kept.send(request("/echo", b"%d" % shift, headers=JSON)).answer().json() == shift
        start = time.monotonic()
        assert post(server.port, "/slow1", {"ms": 60_000}).status == 504
        assert 4.9 < time.monotonic() - start <= 5 + promised(0.1)
    assert "did not run for" not in server.log
    until(lambda: server.workers() and server.workers() != workers, 60)  # by the overdue call, not the clock
    until(lambda: get(server.port, "/readyz").status == 200, 60)
    still_serves(server.port)


def test_F37_the_shim_works(jumping: tuple[ServerProcess, Path]) -> None:
    """Or the test above would prove nothing: the date of answers follows the clock of the test."""
    server, clock = jumping
    clock.write_text(str(-400 * 86_400))
    year = str(time.gmtime(time.time() - 400 * 86_400).tm_year)
    until(lambda: year in get(server.port, "/livez").headers["date"], 30, "the shifted date")
