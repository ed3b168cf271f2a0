"""P6 on the server: kill -9 during pushes, pulls, deletions and moves of an alias (F23, F24, F31)."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import AlreadyExists, BentoMLRpcError, NotFound
from bentoml.repository.staging import AREA
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.remote.repository import RemoteRepository
from tests.repository.bundles import make_bundle
from tests.repository.injection import needs_strace
from tests.yatai.conftest import Running
from tests.yatai.proxy import SlowProxy

from .load import NAME, Load, Promises
from .process import ServerProcess, server_process

WITHIN_S = 60.0


@pytest.fixture(autouse=True)
def client_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "client"))
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.01)
    return tmp_path / "client"


def eventually(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def listing(server: ServerProcess) -> dict[str, Path]:
    """Every bundle that is listed is whole; where its files are, by version."""
    repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
    records = repository.list(NAME)
    for record in records:
        assert record.status == "DONE", record
        assert verify_manifest(record.uri) is not None
    if records:
        assert repository.get(NAME).tag == records[0].tag
    repository.client.close()
    return {record.version: Path(record.uri) for record in records}


def alias_of(server: ServerProcess) -> str | None:
    repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
    try:
        return repository.get(NAME, "@prod").version
    except NotFound:
        return None
    finally:
        repository.client.close()


def leftovers(home: Path, listed: dict[str, Path]) -> list[str]:
    """What lies about that no row needs, and no upload that goes on."""
    repository = home / "repository"
    found = [str(path) for path in (repository / AREA).glob("*")]
    found += [str(path) for path in (repository / NAME).glob("*") if path.name not in listed]
    return found + [str(path) for path in (home / "yatai/uploads").glob("*.lock")]


def check_promises(server: ServerProcess, promises: Promises) -> None:
    """After a restart: nothing that was acknowledged is lost, nothing that was deleted is back."""
    assert promises.failures == []
    listed = listing(server)
    there = set(listed)
    assert promises.kept <= there
    assert not promises.gone & there
    assert there <= promises.kept | promises.unknown
    alias = alias_of(server)
    assert alias in promises.alias
    assert alias is None or alias in there
    promises.alias = [alias]
    eventually(lambda: leftovers(server.home, listed) == [], "leftovers stay after a restart")


def settle(server: ServerProcess, promises: Promises, load: Load) -> None:
    """Pushes without an answer are pushed again: they go on, or say that the bundle is there."""
    repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
    for version in sorted(promises.unknown):
        with contextlib.suppress(AlreadyExists):
            repository.add_directory(load.source(version))
        promises.kept.add(version)
    promises.unknown.clear()
    repository.client.close()
    assert set(listing(server)) == promises.kept


def random_kills(kills: int, home: Path, db_url: str | None) -> None:
    chance = random.Random(kills)
    promises = Promises()
    space = home.with_name("space")
    with server_process(home, db_url) as server:
        server.start()
        for number in range(kills):
            load = Load(server.address, space, promises, f"r{number}", seed=number)
            load.start()
            assert load.begun.wait(WITHIN_S)
            time.sleep(chance.uniform(0.0, 1.2))
            server.kill()
            load.join()
            server.start()
            check_promises(server, promises)
            settle(server, promises, load)
        assert server.stop() == 0
    assert promises.calls > 0


def test_P6_F24_server_killed_at_random_moments(tmp_path: Path, db_url: str | None) -> None:
    random_kills(4, tmp_path / "server", db_url)


@pytest.mark.slow
def test_P6_F24_server_killed_a_hundred_times(tmp_path: Path, db_url: str | None) -> None:
    random_kills(100, tmp_path / "server", db_url)


CALLS = (
    "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,link,linkat,"
    "fsync,fdatasync,pwrite64,ftruncate,sendto"
)
Operation = Callable[[RemoteRepository, Load], object]
OPERATIONS: dict[str, Operation] = {
    "push": lambda repository, load: repository.add_directory(load.source("new")),
    "pull": lambda repository, load: repository.resolve(f"{NAME}:2"),
    "delete": lambda repository, load: repository.delete(NAME, "2"),
    "alias": lambda repository, load: repository.client.call(
        "SetAlias", name=NAME, alias="prod", version="2"
    ),
}


def kill_at(number: int, operation: str, server: ServerProcess, load: Load, trace: Path) -> bool:
    """One operation; the server is killed when one of its threads makes its `number`-th changing call.

    Returns:
        Whether it got that far.
    """
    injected = f"inject={CALLS}:signal=KILL:when={number}"
    command = ["strace", "-f", "-o", str(trace), "-e", f"trace={CALLS}", "-e", injected]
    tracer = subprocess.Popen([*command, "-p", str(server.pid)], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    assert "attached" in tracer.stderr.readline()
    repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
    try:
        OPERATIONS[operation](repository, load)
    except BentoMLRpcError:
        assert server.wait() == -signal.SIGKILL
        return True
    finally:
        repository.client.close()
        tracer.terminate()
        tracer.communicate(timeout=60)
    return False


def check_kills(operation: str, numbers: Iterable[int], home: Path, db_url: str | None) -> int:
    """Kill at those calls, one after the other; the state is the old or the new one each time."""
    promises, space = Promises(), home.with_name("space")
    kills = 0
    with server_process(home, db_url) as server:
        server.start()
        load = Load(server.address, space, promises, "setup", seed=1)
        repository = RemoteRepository(RpcClient(server.address, load_settings().yatai))
        for version in ("1", "2", "3"):
            repository.add_directory(load.source(version))
        for number in numbers:
            there = set(listing(server))
            if operation == "push" and "new" in there:
                repository.delete(NAME, "new")
            if operation == "delete" and "2" not in there:
                repository.client.call("RestoreBento", name=NAME, version="2")
            if operation == "alias":
                repository.client.call("SetAlias", name=NAME, alias="prod", version="1")
            was_killed = kill_at(number, operation, server, load, home.with_name("trace"))
            if was_killed:
                kills += 1
                server.start()
            check_old_or_new(operation, server, done=not was_killed)
            if not was_killed:
                break
    return kills


def check_old_or_new(operation: str, server: ServerProcess, *, done: bool) -> None:
    listed = listing(server)
    old, new = {"1", "2", "3"}, {"push": {"1", "2", "3", "new"}, "delete": {"1", "3"}}.get(operation)
    if done and new is not None:
        assert set(listed) == new
    assert set(listed) in (old, new)
    if operation == "alias":
        assert alias_of(server) == "2" if done else alias_of(server) in ("1", "2")
    eventually(lambda: leftovers(server.home, listed) == [], "leftovers stay after a restart")


@pytest.mark.parametrize("operation", ["push", "delete"])
def test_P6_F23_server_killed_at_changing_calls(operation: str, tmp_path: Path, db_url: str | None) -> None:
    needs_strace(tmp_path)
    assert check_kills(operation, (3, 8), tmp_path / "server", db_url) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_P6_F23_server_killed_at_every_changing_call(
    operation: str, tmp_path: Path, db_url: str | None
) -> None:
    needs_strace(tmp_path)
    kills = check_kills(operation, itertools.count(1), tmp_path / "server", db_url)
    assert kills > 0 or operation == "pull"


def test_F31_client_killed_while_it_pushes(
    server: Running, tmp_path: Path, client_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server holds nothing of it, and a new process goes on where the first one was."""
    monkeypatch.setenv("BENTOML_HOME", str(client_home))  # the fixture of the server has its own
    content = random.Random(3).randbytes(48 << 20)
    source = make_bundle(tmp_path / "made", NAME, "1", content=content)
    push = (
        "import sys; from bentoml.yatai.client import get_yatai_client; "
        "get_yatai_client(sys.argv[1]).repository.upload_from_dir(sys.argv[2])"
    )
    slow = SlowProxy(server.server.grpc_port)
    command = [sys.executable, "-c", push, slow.address, str(source)]
    process = subprocess.Popen(command, env={**os.environ, "BENTOML_HOME": str(client_home)})
    uploads = server.registry.uploads

    def arrived() -> int:
        directories = [path for path in (uploads.directory).glob("*") if path.is_dir()]
        return sum(file.stat().st_size for path in directories for file in path.rglob("*") if file.is_file())

    eventually(lambda: arrived() > 1 << 20, "nothing arrives")
    process.kill()
    process.wait(timeout=60)
    assert server.registry.bundles.count(BundleQuery()) == 0
    before = arrived()
    slow.hurry()
    eventually(lambda: not list(uploads.directory.glob("*.lock")), "a lock stays")
    get_yatai_client(slow.address).repository.upload_from_dir(source)
    assert before > 1 << 20
    assert server.registry.bundles.count(BundleQuery()) == 1
    eventually(lambda: not list(uploads.directory.glob("*")), "files of the upload stay")
