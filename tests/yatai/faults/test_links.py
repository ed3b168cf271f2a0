"""Slow and lossy lines (F32): no deadline ends a transfer, cuts are mended, nobody else waits, no slot stays.

The rates are chosen so that the data takes several times as long as the server lets a line be silent.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from bentoml.repository.base import BundleRecord
from bentoml.repository.local import LocalRepository
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.yatai.access import LOCAL
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.remote.repository import RemoteRepository
from tests.repository.bundles import make_bundle
from tests.yatai.conftest import Running
from tests.yatai.slow_link import SlowLink, random_cuts
from tests.yatai.wire import NEW, Wire

Add = Callable[..., BundleRecord]
Start = Callable[..., Running]
STALLED_S = 3.0
RATE = 70_000.0
CONTENT = random.Random(7).randbytes(900_000)


@pytest.fixture(params=["sqlite"])
def db_url() -> None:
    """One database is enough: what is tested ends before it."""
    return


@pytest.fixture(autouse=True)
def over_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of these tests carry gRPC; `test_direct` has those of the other way."""
    monkeypatch.setenv("BENTOML_YATAI_DIRECT_TRANSFERS", "false")


@pytest.fixture
def local(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> LocalRepository:
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.02)
    return LocalRepository(tmp_path / "client")


@contextmanager
def remote(address: str) -> Iterator[RemoteRepository]:
    repository = RemoteRepository(RpcClient(address, load_settings().yatai))
    try:
        yield repository
    finally:
        repository.client.close()


def pull(address: str, target: Path) -> None:
    with remote(address) as repository:
        repository.download(repository.get("Iris", "1"), target)


def events_of(server: Running, action: str) -> int:
    return sum(event.action == action for event in server.registry.events.find(LOCAL))


def eventually(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30  # the client's own deadline is later
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_F32_slow_upload_is_no_stalled_one(start: Start, local: LocalRepository, tmp_path: Path) -> None:
    server = start(stalled_s=STALLED_S)
    source = make_bundle(tmp_path / "made", "Iris", "1", content=CONTENT)
    with SlowLink(server.server.grpc_port, RATE, 0.05) as link, remote(link.address) as repository:
        repository.add_directory(source)
        assert link.connections == 1
    assert server.registry.bundles.find("Iris", "1").size_bytes
    assert list(server.registry.uploads.directory.glob("*")) == []


def test_F32_slow_download_is_no_stalled_one(
    start: Start, add: Add, local: LocalRepository, tmp_path: Path
) -> None:
    server = start(stalled_s=STALLED_S)
    add("Iris", "1", content=CONTENT)
    with SlowLink(server.server.grpc_port, RATE, 0.05) as link:
        pull(link.address, tmp_path / "pulled")
        assert link.connections == 1
    assert (tmp_path / "pulled/Iris/artifacts/model.pkl").read_bytes() == CONTENT


def test_F32_cut_lines_are_mended_and_nothing_is_done_twice(
    start: Start, local: LocalRepository, tmp_path: Path
) -> None:
    server = start(stalled_s=STALLED_S)
    source = make_bundle(tmp_path / "made", "Iris", "1", content=CONTENT)
    cuts = random_cuts(1, 3, 200_000, 500_000)
    with SlowLink(server.server.grpc_port, 400_000, 0.02, cuts) as link:
        with remote(link.address) as repository:
            repository.add_directory(source)
        assert link.connections == 4
    assert events_of(server, "bundle.add") == 1
    with SlowLink(server.server.grpc_port, 400_000, 0.02, cuts) as link:
        pull(link.address, tmp_path / "pulled")
        assert link.connections == 4
        assert link.passed < 3 * len(CONTENT)  # it went on, and did not begin again
    assert (tmp_path / "pulled/Iris/artifacts/model.pkl").read_bytes() == CONTENT


def test_F32_slow_clients_do_not_block_others(
    start: Start, add: Add, local: LocalRepository, tmp_path: Path
) -> None:
    """As many slow transfers as there are, one quick client pushes, lists and pulls meanwhile."""
    server = start(stalled_s=60.0, max_calls=8)
    add("Slow", "1", content=CONTENT)
    source = make_bundle(tmp_path / "slow", "Iris", "slow", content=CONTENT)
    quick = make_bundle(tmp_path / "quick", "Iris", "quick", content=CONTENT)
    ended: list[str] = []

    def push() -> None:
        with remote(link.address) as repository:
            repository.add_directory(source)
        ended.append("push")

    def pull_slowly(number: int) -> None:
        with remote(link.address) as repository:
            repository.download(repository.get("Slow", "1"), tmp_path / f"pulled-{number}")
        ended.append("pull")

    with SlowLink(server.server.grpc_port, 30_000) as link:
        works = [threading.Thread(target=push)]
        works += [threading.Thread(target=pull_slowly, args=(number,)) for number in range(4)]
        for work in works:
            work.start()
        eventually(lambda: link.passed > 60_000, "nothing moves")
        with remote(server.address) as repository:
            repository.add_directory(quick)
            assert [record.version for record in repository.list("Iris")] == ["quick"]
            repository.download(repository.get("Iris", "quick"), tmp_path / "back")
        assert ended == []  # the quick one was done first
        link.rate = 1e9
        for work in works:
            work.join(timeout=60)
    assert sorted(ended) == ["pull"] * 4 + ["push"]


def test_F32_reader_that_reads_no_more_gives_its_slot_back(start: Start, add: Add) -> None:
    server = start(stalled_s=1.0, max_calls=1)
    add("Iris", "1", content=random.Random(2).randbytes(16 << 20))
    wire, other = Wire(server.server.grpc_port, NEW), Wire(server.server.grpc_port, NEW)
    stream = wire.fetch("FetchBento", bento={"name": "Iris", "version": "1"})
    next(stream)

    def answers() -> bool:
        try:
            return bool(other.call("ListBento")["bentos"])
        except grpc.RpcError as err:
            assert err.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            return False

    assert not answers()
    eventually(answers, "the slot is held")
    with pytest.raises(grpc.RpcError):
        list(stream)
    wire.close()
    other.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_F32_two_hundred_milliseconds_ten_kilobytes_cut_at_random(
    start: Start, local: LocalRepository, tmp_path: Path
) -> None:
    """With the server's usual patience of a minute."""
    server = start()
    content = random.Random(9).randbytes(1_500_000)
    source = make_bundle(tmp_path / "made", "Iris", "1", content=content)
    cuts = random_cuts(2, 2, 400_000, 700_000)
    with SlowLink(server.server.grpc_port, 10_000, 0.2, cuts) as link, remote(link.address) as repository:
        repository.add_directory(source)
        assert link.connections == 3
    with SlowLink(server.server.grpc_port, 10_000, 0.2, cuts) as link, remote(link.address) as repository:
        repository.download(repository.get("Iris", "1"), tmp_path / "pulled")
        assert link.connections == 3
    assert (tmp_path / "pulled/Iris/artifacts/model.pkl").read_bytes() == content
    assert events_of(server, "bundle.add") == 1
    assert server.registry.bundles.count(BundleQuery()) == 1
