"""The server when its database, its disk or its files are not as they should be (F21, F25, F26, F28, F29)."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from bentoml.exceptions import AlreadyExists, BentoMLException, NotFound
from bentoml.repository.base import BundleRecord
from bentoml.repository.database import _LOCK_KEY
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.yatai.access import LOCAL
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.remote.repository import RemoteRepository
from tests.repository.bundles import make_bundle
from tests.repository.small_disk import SMALL_DISK, can_mount
from tests.yatai.conftest import Running
from tests.yatai.wire import Wire

from .process import ServerProcess

Add = Callable[..., BundleRecord]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.01)


@contextlib.contextmanager
def write_lock(db_url: str | None, home: Path) -> Iterator[None]:
    """What a writer of another process holds."""
    if db_url is None:
        connection = sqlite3.connect(home / "storage.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
        connection.close()
        return
    import psycopg

    with psycopg.connect(db_url) as session:
        session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])
        yield
        session.rollback()


def test_F25_waits_for_a_writer_and_goes_on(
    server: Running, wire: Wire, add: Add, db_url: str | None, home: Path
) -> None:
    add("Iris", "1")
    answers: list[object] = []
    caller = threading.Thread(
        target=lambda: answers.append(wire.call("SetAlias", name="Iris", alias="prod", version="1"))
    )
    with write_lock(db_url, home):
        caller.start()
        caller.join(timeout=3)
        assert answers == []
        assert len(wire.call("ListBento")["bentos"]) == 1
    caller.join(timeout=60)
    assert len(answers) == 1


def test_F25_writer_that_never_ends_is_a_clear_error_and_readers_go_on(
    server: Running, wire: Wire, add: Add, db_url: str | None, home: Path
) -> None:
    add("Iris", "1")
    with write_lock(db_url, home):
        with pytest.raises(grpc.RpcError, match="is busy") as failure:
            wire.call("SetAlias", name="Iris", alias="prod", version="1")
        assert failure.value.code() is grpc.StatusCode.ABORTED
        assert str(home) not in failure.value.details()
        assert len(wire.call("ListBento")["bentos"]) == 1
    assert wire.call("SetAlias", name="Iris", alias="prod", version="1")["alias"]["version"] == "1"


def test_F26_database_that_goes_and_comes_back(
    server: Running, wire: Wire, add: Add, db_url: str | None, home: Path
) -> None:
    add("Iris", "1")
    aside = home / "aside"
    if db_url is None:
        (home / "storage.db").rename(aside)
    else:
        allow_connections(db_url, False)
    try:
        for name, fields in (("ListBento", {"limit": 7}), ("FindBento", {"name": "Iris", "version": "1"})):
            with pytest.raises(grpc.RpcError) as failure:
                wire.call(name, **fields)
            assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert str(home) not in failure.value.details()
        assert wire.call("HealthCheck")["status"]["status_code"] == 0
    finally:
        if db_url is None:
            aside.rename(home / "storage.db")
        else:
            allow_connections(db_url, True)
    assert wire.call("FindBento", name="Iris", version="1")["bento"]["version"] == "1"


def allow_connections(db_url: str, allowed: bool) -> None:
    import psycopg

    address, _, name = db_url.rpartition("/")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + bytes(50)])
def test_F26_damaged_database_ends_the_start_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "storage.db").write_bytes(content)
    code, text = refused_start(ServerProcess(home))
    assert code != 0
    assert "is damaged" in text and "bentoml repair" in text
    assert "Traceback" not in text
    assert (home / "storage.db").read_bytes() == content


def test_F29_repository_that_is_a_file_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code, text = refused_start(
        ServerProcess(tmp_path / "home", None, "--file-system-directory", str(tmp_path / "file"))
    )
    assert code != 0
    assert str(tmp_path / "file") in text
    assert "Traceback" not in text


def refused_start(server: ServerProcess) -> tuple[int, str]:
    with pytest.raises(AssertionError):
        server.start()
    return server.wait(), server.log.read_text("utf-8", "replace")


def test_F28_delete_while_pulling_ends_the_pull_clearly(
    server: Running, wire: Wire, add: Add, home: Path
) -> None:
    """The files that are open go on; the next one is gone, and the client is told why."""
    add("Iris", "1", content=random.Random(1).randbytes(24 << 20))
    stream = wire.fetch("FetchBento", bento={"name": "Iris", "version": "1"})
    next(stream)
    server.registry.bundles.delete(LOCAL, "Iris", "1")
    with pytest.raises(grpc.RpcError, match=r"Iris:1 was deleted while it was read") as failure:
        list(stream)
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND


def test_F27_P7_readers_and_writers_of_one_server(server: Running, tmp_path: Path) -> None:
    """16 readers and 4 writers: no call fails, nothing is lost or doubled."""
    sources = [make_bundle(tmp_path / f"made-{number}", "Iris", str(number)) for number in range(24)]
    failures: list[BaseException] = []

    def run(work: Callable[[RemoteRepository], object]) -> None:
        repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
        try:
            work(repository)
        except BaseException as err:
            failures.append(err)
        finally:
            repository.client.close()

    def read(repository: RemoteRepository) -> None:
        for _ in range(15):
            tags = [record.tag for record in repository.list("Iris")]
            assert len(tags) == len(set(tags))

    def write(part: int) -> Callable[[RemoteRepository], object]:
        return lambda repository: [repository.add_directory(source) for source in sources[part::4]]

    works = [read] * 16 + [write(part) for part in range(4)]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=240)
    assert failures == []
    assert server.registry.bundles.count(BundleQuery()) == 24


class SmallDisk(ServerProcess):
    """A server whose home is a small file system of its own."""

    def command(self) -> list[str]:
        return ["unshare", "-rm", "sh", "-c", SMALL_DISK, "sh", "24m", str(self.home), *super().command()]


def test_F21_full_disk_while_receiving(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("needs Linux and permission to mount a tmpfs in a namespace (unshare -rm)")
    with contextlib.closing(SmallDisk(tmp_path / "home")) as server:
        server.start()
        repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
        large = make_bundle(tmp_path / "large", "Iris", "1", content=random.Random(1).randbytes(40 << 20))
        for _ in range(2):
            with pytest.raises(BentoMLException, match="no space left on the server's disk"):
                repository.add_directory(large)
            assert repository.list() == []
        small = make_bundle(tmp_path / "small", "Iris", "2", content=random.Random(2).randbytes(4 << 20))
        repository.add_directory(small)
        assert [record.tag for record in repository.list()] == ["Iris:2"]
        with pytest.raises(AlreadyExists):
            repository.add_directory(small)
        with pytest.raises(NotFound):
            repository.get("Iris", "1")
        assert server.stop() == 0
