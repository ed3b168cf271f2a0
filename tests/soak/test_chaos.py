"""C1 and C2: everything at once for a while, and a steady load for long (P1-P5, P8)."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.server.live.load import Load
from tests.server.live.process import ServerProcess, descriptors, resident_mib, serving, until
from tests.server.live.wire import JSON, Hangup, Wire, get, post, request, still_serves

from .requests import stream

CLIENTS = 32
GOOD_SHARE = 0.3


class Chaos:
    """Clients of all kinds; what good ones got that they should not have is in `wrong`."""

    def __init__(self, server: ServerProcess, requests: int) -> None:
        self.server = server
        self.left = requests
        self.tally: Counter[str] = Counter()
        self.wrong: list[object] = []
        self._lock = threading.Lock()

    def run(self, kill_every_s: float) -> None:
        threads = [threading.Thread(target=self._client, args=(i,)) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        due = time.monotonic() + kill_every_s
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.05)
            if time.monotonic() > due:
                due += kill_every_s
                for pid in self.server.workers()[:1]:
                    os.kill(pid, SIGKILL)
                    self.tally["killed workers"] += 1

    def _take(self) -> bool:
        with self._lock:
            self.left -= 1
            return self.left >= 0

    def _client(self, seed: int) -> None:
        dice = random.Random(seed)
        while self._take():
            try:
                kind = self._good(dice) if dice.random() < GOOD_SHARE else self._bad(dice)
            except OSError as err:
                kind = f"no connection: {type(err).__name__}"
            with self._lock:
                self.tally[kind] += 1

    def _good(self, dice: random.Random) -> str:
        value = {"id": dice.randrange(1 << 30), "text": "x" * dice.choice((1, 100, 3000))}
        patience_s = dice.choice((60.0,) * 9 + (0.01,))
        with Wire(self.server.port, patience_s) as wire:
            try:
                data = json.dumps(value).encode()
                answer = wire.send(request(dice.choice(("/echo", "/echo1")), data, headers=JSON)).answer()
            except TimeoutError:
                if patience_s > 1:
                    self.wrong.append("no answer")
                return "cut by its client"
            except Hangup as err:
                self.wrong.append(err)
                return "lost"
        if answer.status == 200 and answer.json() != value:
            self.wrong.append((value, answer))
        elif answer.status not in (200, 429, 503) or (
            answer.status != 200 and "retry-after" not in answer.headers
        ):
            self.wrong.append(answer)
        return f"good: {answer.status}"

    def _bad(self, dice: random.Random) -> str:
        how = dice.randrange(6)
        with Wire(self.server.port, dice.choice((0.02, 0.5, 5.0))) as wire:
            if how == 0:
                data = stream(dice)
            elif how == 1:
                data = request("/boom", b'{"do": "raise"}', headers=JSON)
            elif how == 2:
                data = request("/file", dice.randbytes(dice.choice((0, 10, 200_000))))
            elif how == 3:
                data = request("/echo", dice.choice((b"{", b"\xff", b"[" * 500, b"")), headers=JSON)
            elif how == 4:
                data = request("/slow", b'{"ms": %d}' % dice.choice((1, 5, 30)), headers=JSON)
            else:
                data = request(dice.choice(("/metrics", "/", "/nowhere")), None, "GET")
            with suppress(OSError, Hangup, TimeoutError, ValueError):
                wire.send(data[: dice.randrange(1, len(data) + 1)] if dice.random() < 0.2 else data)
                if dice.random() < 0.2:
                    wire.reset()
                elif dice.random() < 0.7:
                    wire.answer()
        return "bad"


def chaos(bundle: Path, folder: Path, requests: int, kill_every_s: float) -> None:
    with serving(bundle, folder, ["--workers", "2"]) as server:
        for i in range(200):
            post(server.port, "/echo", i)
        before = resident_mib(server.pid)
        fds = descriptors(server.pid)
        run = Chaos(server, requests)
        run.run(kill_every_s)
        print(dict(run.tally))
        assert run.wrong == []
        assert run.tally["good: 200"] > 0.2 * requests
        until(lambda: len(server.workers()) == 2 and get(server.port, "/readyz").status == 200, 60)
        until(lambda: descriptors(server.pid) <= fds + 5, 60, "closing of the connections")
        print(f"{resident_mib(server.pid) - before:.1f} MiB more than before")
        assert resident_mib(server.pid) - before <= 64
        assert server.log.count("Traceback") == server.log.count("Error caught in API function:")
        still_serves(server.port)
        assert server.stop() == 0


@pytest.mark.timeout(300)
def test_C1_some_chaos(probe_bundle: Path, tmp_path: Path) -> None:
    chaos(probe_bundle, tmp_path, 2000, 2.0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_C1_chaos(probe_bundle: Path, tmp_path: Path) -> None:
    chaos(probe_bundle, tmp_path, int(os.environ.get("BENTOML_CHAOS_REQUESTS", "100000")), 10.0)


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def series(port: int) -> int:
    lines = get(port, "/metrics").body.decode().splitlines()
    return sum(not line.startswith("#") for line in lines)


Sizes = tuple[float, int, int]


def sizes(pid: int) -> Sizes:
    """Resident MiB, descriptors, threads."""
    return resident_mib(pid), descriptors(pid), threads(pid)


def newest(server: ServerProcess, count: int) -> list[int]:
    """The workers that serve, once those they replaced are gone."""
    until(lambda: len(server.workers()) == count, 90, "the end of the old workers")
    return server.workers()


def reload(server: ServerProcess, bundle: Path, workers: int) -> list[int]:
    """Touch the bundle and wait for the generation that comes of it."""
    before = server.log.count(" is serving.")
    (bundle / "bentoml.yml").touch()
    until(lambda: server.log.count(" is serving.") > before, 90, "the new generation")
    return newest(server, workers)


@pytest.mark.slow
@pytest.mark.timeout(9 * 3600)
def test_C2_P8_P11_soak(probe_bundle: Path, tmp_path: Path) -> None:
    """`BENTOML_SOAK_MINUTES` (30) of mixed requests, a reload every five; six reloads if it is shorter.

    No request is lost; memory, descriptors, threads and series stay level, in the server and from one
    generation of workers to the next.
    """
    lasts_s = 60 * float(os.environ.get("BENTOML_SOAK_MINUTES", "30"))
    every_s = min(300.0, lasts_s / 6)

    def make(i: int) -> bytes:
        kinds = (
            request("/echo", b'{"i": %d}' % i, headers=JSON),
            request("/echo1", b'{"i": %d}' % i, headers=JSON),
            request("/text", b"some text", headers={"Content-Type": "text/plain"}),
            request("/file", b"\0" * 20_000),
            request("/slow", b'{"ms": 5}', headers=JSON),
            request("/echo", b"{", headers=JSON),
        )
        return kinds[i % len(kinds)]

    env = {"BENTOML_PREDICTION_LOG": "false"}
    bundle = Path(shutil.copytree(probe_bundle, tmp_path / "bundle"))
    with serving(bundle, tmp_path, ["--workers", "2", "--reload"], env) as server:
        newest(server, 2)
        load = Load(server.port, 16, 300, make).start()
        time.sleep(min(60.0, 0.2 * lasts_s))  # warm-up
        workers = reload(server, bundle, 2)  # what a first reload imports and caches is warm-up too
        time.sleep(min(60.0, 0.1 * lasts_s))
        series(server.port)
        known = series(server.port)  # the page counts itself, and its thread is there from now on
        first, first_workers = sizes(server.pid), [sizes(pid) for pid in workers]
        start = time.monotonic()
        reloads = 0
        while time.monotonic() - start < 0.7 * lasts_s:
            time.sleep(every_s)
            workers = reload(server, bundle, 2)
            reloads += 1
        time.sleep(min(60.0, 0.1 * lasts_s))
        last, last_workers = sizes(server.pid), [sizes(pid) for pid in workers]
        minutes = (time.monotonic() - start) / 60
        outcomes = load.stop()
        tally = Counter(o.status for o in outcomes)
        print(f"{dict(tally)}, {reloads} reloads, {minutes:.1f} minutes; server {first} {last}")
        print(f"workers {first_workers} {last_workers}")
        assert set(tally) == {200, 400}
        for before, after in zip([first, *first_workers], [last, *last_workers], strict=True):
            assert after[0] - before[0] <= max(3.0, minutes / 10)
            assert abs(after[1] - before[1]) <= 5
            assert after[2] == before[2]
        assert series(server.port) == known
        assert server.workers() == workers
        still_serves(server.port)
        assert server.stop() == 0
