"""Slow, silent and noisy clients (B22-B24, F35), and bytes that want to be code (B60, P9, A01)."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.server.live.process import ServerProcess, children_of, until
from tests.server.live.wire import JSON, Hangup, Wire, ask, get, post, raw, request, steady_requests

pytestmark = [pytest.mark.xdist_group("http"), pytest.mark.timeout(180)]


def descriptors(server: ServerProcess) -> int:
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def test_B22_slow_heads_and_bodies(tight_server: ServerProcess, tight_port: int) -> None:
    """A byte at a time: refused when the time is over, while others are served."""
    before = descriptors(tight_server)
    with contextlib.ExitStack() as stack, steady_requests(tight_port) as took:
        heads = [stack.enter_context(Wire(tight_port)) for _ in range(60)]
        bodies = [stack.enter_context(Wire(tight_port)) for _ in range(60)]
        for wire in bodies:
            wire.send(raw("POST /echo HTTP/1.1", "Host: localhost", "Content-Length: 1000"))
        head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100
        start = time.monotonic()
        for i in range(12):
            for wire in heads:
                wire.try_send(head[i : i + 1])
            for wire in bodies:
                wire.try_send(b" ")
            time.sleep(0.5)
            if time.monotonic() - start > 6:
                break
        for wire in [*heads, *bodies]:
            answer = wire.answer()
            assert (answer.status, answer.closes) == (408, True)
        until(lambda: len(took) > 10)
    assert max(took) < 2
    until(lambda: descriptors(tight_server) <= before + 2, what="closing of the connections")


def kept_files(server: ServerProcess) -> list[Path]:
    """Files below the server's folder, but for its logs, which come and go with what it has to say."""
    return sorted(path for path in server.folder.rglob("*") if "logs" not in path.parts)


def test_B75_uploads_that_are_given_up(server: ServerProcess, port: int) -> None:
    """500 forms that end half-way, with and without a reset, leave no file and no descriptor behind."""
    body = (
        b"--b\r\nContent-Disposition: form-data; name=f; filename=a.bin\r\n\r\n"
        + b"x" * 40_000
        + b"\r\n--b--\r\n"
    )
    whole = request("/file", body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert ask(port, whole).status == 200
    before, files = descriptors(server), kept_files(server)
    for place in range(500):
        with Wire(port) as wire:
            wire.try_send(whole[: len(whole) * (place % 9 + 1) // 10])
            if place % 2:
                wire.reset()
    until(lambda: descriptors(server) <= before + 2, what="closing of the connections")
    assert ask(port, whole).status == 200
    assert kept_files(server) == files
    opened = [
        os.readlink(f"/proc/{server.pid}/fd/{number}") for number in os.listdir(f"/proc/{server.pid}/fd")
    ]
    assert not [name for name in opened if name.startswith(tempfile.gettempdir()) and "(deleted)" in name]


def test_B22_slow_pages(tight_port: int) -> None:
    """The same on the path of the pages."""
    with Wire(tight_port) as wire:
        wire.send(raw("POST /feedback HTTP/1.1", "Host: localhost", "Content-Length: 1000"))
        assert wire.answer().status == 408


def test_B22_answers_that_are_not_read(tight_server: ServerProcess, tight_port: int) -> None:
    """Clients that never read their answers are cut off; their bytes are not kept for ever."""
    before = descriptors(tight_server)
    body = b'"' + b"x" * 4000 + b'"'
    wires = []
    for _ in range(3):
        wire = Wire(tight_port, 1)
        wires.append(wire)
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(30000):
                wire.send(request("/echo", body, headers=JSON))
    until(lambda: descriptors(tight_server) <= before + 2, 40, "the end of clients that do not read")
    for wire in wires:
        wire.sock.close()


@pytest.mark.parametrize(
    "noise",
    [
        bytes.fromhex("16030100c8010000c40303") + bytes(200),
        random.Random(5).randbytes(1 << 20),
        b"\r\n" * (1 << 19),
        b"\0" * 1000,
        b"A" * (1 << 20),
        b"GET / HTTP/1.1 " * (1 << 16),
    ],
    ids=["tls", "random", "line ends", "zeros", "letters", "loop"],
)
def test_B23_noise(server: ServerProcess, port: int, noise: bytes) -> None:
    lines = server.log.count("\n")
    for _ in range(3):
        with Wire(port) as wire:
            wire.try_send(noise).finish_sending_if_open()
            with contextlib.suppress(Hangup):
                assert wire.answer().status in (400, 408, 414, 431, 501)
    assert server.log.count("\n") - lines <= 3


def test_B24_silent_connections(tight_server: ServerProcess, tight_port: int) -> None:
    before = descriptors(tight_server)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(tight_port)) for _ in range(200)]
        assert get(tight_port, "/readyz").status == 200
        assert all(wire.is_closed() for wire in wires)
    until(lambda: descriptors(tight_server) <= before + 2)


def test_idle_connections_are_closed_after_the_keep_alive_time(tight_port: int) -> None:
    with Wire(tight_port) as wire:
        assert wire.send(request("/echo", headers=JSON)).answer().status == 200
        start = time.monotonic()
        assert wire.is_closed()
        assert 2 < time.monotonic() - start < 20


def test_too_many_connections(tight_server: ServerProcess, tight_port: int) -> None:
    """The newest is told so; those that are there are served; later there is room again."""
    with Wire(tight_port) as early, contextlib.ExitStack() as stack:
        early.send(request("/echo", headers=JSON)).answer()
        wires = [stack.enter_context(Wire(tight_port)) for _ in range(310)]
        answer = wires[-1].answer()
        assert (answer.status, answer.headers["retry-after"], answer.closes) == (503, "1", True)
        assert early.send(request("/echo", headers=JSON)).answer().status == 200
    until(lambda: get(tight_port, "/readyz").status == 200)


def test_F35_clients_that_leave(server: ServerProcess, port: int) -> None:
    """They go before the end of sending, while queued, while running, while the answer is written."""
    dice = random.Random(1)
    fds = descriptors(server)
    body = b'{"id": "gone", "x": "' + b"y" * 2000 + b'"}'
    with steady_requests(port) as took:
        for i in range(1500):
            data = request(("/echo", "/echo1", "/slow", "/metadata")[i % 4], body, headers=JSON)
            if i % 4 == 2:
                data = request("/slow", b'{"ms": 1}', headers=JSON)
            wire = Wire(port)
            wire.try_send(data[: dice.randrange(1, len(data))] if dice.random() < 0.4 else data)
            if dice.random() < 0.3:
                time.sleep(dice.random() / 200)
            if dice.random() < 0.5:
                wire.reset()
            else:
                wire.sock.close()
        until(lambda: len(took) > 20)
    until(lambda: in_progress(port) == 0, what="the end of what nobody waits for")
    until(lambda: descriptors(server) <= fds + 2, what="closing of the connections")


def in_progress(port: int) -> float:
    lines = get(port, "/metrics").body.decode().splitlines()
    values = [float(line.split()[-1]) for line in lines if "in_progress" in line and not line.startswith("#")]
    assert values
    return sum(values) - 1  # this request itself


@pytest.mark.parametrize("how", ["reset", "close"])
def test_P5_F35_what_nobody_waits_for_is_not_run(server: ServerProcess, port: int, how: str) -> None:
    """Queued behind a running call, clients leave; their items never reach the model."""
    name = f"left-{how}"
    body = json.dumps({"id": name}).encode()
    with Wire(port) as first:
        first.send(request("/slow1", b'{"ms": 4000, "id": "%s"}' % name.encode(), headers=JSON))
        until(lambda: name in [item for _, item in server.executions("slow1")])
        wires = [Wire(port).send(request("/echo1", body, headers=JSON)) for _ in range(50)]
        assert get(port, "/readyz").status == 200  # all of those have been read by now
        for wire in wires:
            if how == "reset":
                wire.reset()
            else:
                wire.sock.close()
        until(lambda: waiting(port, "echo1") == 0, what="the end of what nobody waits for")
        assert server.executions("slow1")[-1][1] == name
        assert first.answer().status == 200
    assert post(port, "/echo1", {"id": "after"}).status == 200
    assert [item for _, item in server.executions("echo1")].count(name) <= 1


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_F35_a_client_that_only_stopped_sending_gets_its_answers(port: int, version: str) -> None:
    """Asked in the one way that HTTP/1.1 has, an interim response, whether it is still there."""
    data = request("/slow1", b'{"ms": 300, "id": "half"}', headers=JSON)
    with Wire(port) as wire:
        answers = [wire.send(data.replace(b"HTTP/1.1", f"HTTP/{version}".encode())).finish_sending().answer()]
        if version == "1.1":
            assert answers[0].status == 100
            answers = [wire.answer()]
        assert [(answer.status, answer.json()) for answer in answers] == [(200, 300)]
        assert wire.is_closed()


def test_F35_pipelined_requests_of_a_client_that_stopped_sending(port: int) -> None:
    data = b"".join(request("/echo", b"%d" % i, headers=JSON) for i in range(5))
    hold = request("/slow1", b'{"ms": 300, "id": "half"}', headers=JSON)
    with Wire(port) as wire:
        wire.send(hold + data).finish_sending()
        answers = [wire.answer() for _ in range(7)]
        assert [answer.status for answer in answers] == [100] + [200] * 6
        assert [answer.json() for answer in answers[1:]] == [300, 0, 1, 2, 3, 4]
        assert wire.is_closed()


def waiting(port: int, route: str) -> int:
    page = json.loads(get(port, "/debug/batching").body)
    return next(int(row["waiting"]) for row in page["apis"] if row["route"] == route)


class Canary:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.path}",)


KINDS = (
    "application/octet-stream",
    "application/x-python-serialize",
    "application/vnd.bentoml+pickle",
    "application/vnd.bentoml.pickled",
    "application/python-pickle",
    "application/x-npy",
    "application/json",
    "application/vnd.apache.arrow.stream",
    "",
)
INNER = {
    "BentoML-Is-Merged-Request": "true",
    "Bentoml-Is-Batch-Request": "true",
    "Payload-Container": "PickleContainer",
    "Payload-Meta": "{}",
    "Args-Number": "1",
    "Bentoml-Payload-Kind": "pickle",
    "X-Bentoml-Worker-Fd": "3",
}


def test_B60_P9_A01_pickles_stay_bytes(server: ServerProcess, port: int, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    assert subprocess.run(f"touch {tmp_path}/works && test -e {tmp_path}/works", shell=True).returncode == 0
    routes = [f"/{name}{twin}" for name in ("echo", "slow", "boom", "file", "text") for twin in ("", "1")]
    routes += ["/feedback", "/metrics", "/docs.json", "/static_content/main.css", "/", "/nowhere"]
    for protocol in (0, 2, 5):
        payload = pickle.dumps(Canary(canary), protocol)
        for route in routes:
            with Wire(port) as wire:
                for kind in KINDS:
                    for inner in ({}, INNER):
                        headers = {**inner, **({"Content-Type": kind} if kind else {})}
                        answer = wire.send(request(route, payload, headers=headers)).answer()
                        assert answer.status < 500, (route, kind)
                        if route in ("/echo", "/echo1"):
                            assert answer.status in (400, 415)
    assert not canary.exists()
    assert all(not children_of(pid) for pid in server.workers())


def test_A03_only_the_documented_port_listens(server: ServerProcess, port: int) -> None:
    listening = set()
    for pid in (server.pid, *server.workers()):
        inodes = set()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
        for table in ("tcp", "tcp6"):
            for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = row.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    listening.add((pid, int(fields[1].rpartition(":")[2], 16)))
    assert listening == {(server.pid, port)}


def test_ids_of_the_client_do_not_become_ours(port: int) -> None:
    answer = post(port, "/echo", 1, {"X-Request-Id": "mine"})
    assert answer.headers["x-request-id"] != "mine"
    assert ask(port, request("/echo", b"1", headers={**JSON, "X-Request-Timeout-Ms": "x"})).status == 400
