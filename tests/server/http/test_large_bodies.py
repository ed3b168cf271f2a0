"""Bodies that cross in shared memory: never mixed up, and their room comes back (B27, P17)."""

from __future__ import annotations

import hashlib
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.live.process import ServerProcess, until
from tests.server.live.wire import Wire, post, raw, request

pytestmark = [pytest.mark.xdist_group("http"), pytest.mark.timeout(180)]
SHARED_FROM = 1 << 16
MIB = 1 << 20


def shared_bytes(pid: int) -> int:
    """Pages in use of the memory that a front shares with its workers."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(link).startswith("/memfd:bentoml-bodies"):
            return os.stat(link).st_blocks * 512
    raise AssertionError("the front has no shared memory")


def test_bodies_of_many_sizes_at_once(port: int) -> None:
    source = random.Random(5)
    edges = [SHARED_FROM - 1, SHARED_FROM, SHARED_FROM + 1, 4096 * 20, 4096 * 20 + 1]
    sizes = [*edges, *(source.randrange(1, 3 * MIB) for _ in range(40)), 10, 20]
    source.shuffle(sizes)
    bodies = [source.randbytes(size) for size in sizes]
    routes = ["/file", "/file1"] * len(bodies)
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda pair: post(port, pair[0], body=pair[1]), zip(routes, bodies, strict=False))
        )
    for body, answer in zip(bodies, answers, strict=True):
        assert answer.status == 200
        assert answer.json() == [len(body), hashlib.sha256(body).hexdigest()]


def test_large_and_small_bodies_on_one_connection(port: int) -> None:
    bodies = [os.urandom(size) for size in (300_000, 5, 70_000, 200_000, 1)]
    with Wire(port) as wire:
        for _ in range(3):  # the third time the head is known
            for body in bodies:
                wire.send(request("/file", body, headers={"Content-Type": "application/octet-stream"}))
            for body in bodies:
                assert wire.answer().json() == [len(body), hashlib.sha256(body).hexdigest()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_clients_that_leave_give_their_room_back(server: ServerProcess, port: int) -> None:
    part = bytes(12 * MIB)
    head = raw("POST /file HTTP/1.1", "Host: x", f"Content-Length: {16 * MIB}")
    for _ in range(30):  # 480 MiB announced, more than there is
        with Wire(port) as wire:
            wire.send(head + part)
    until(lambda: shared_bytes(server.pid) <= 96 * MIB, what="the return of shared memory")
    wires = [Wire(port) for _ in range(12)]
    for wire in wires:  # 192 MiB would not fit beside what was lost
        wire.send(head + part)
    assert post(port, "/file", body=part).json() == [len(part), hashlib.sha256(part).hexdigest()]
    for wire in wires:
        wire.sock.close()
    until(lambda: shared_bytes(server.pid) <= 96 * MIB, what="the return of shared memory")
