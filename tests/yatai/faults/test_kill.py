"""P6 on the server: kill -9 during pushes, pulls, deletions and moves of an alias (F23, F24, F31)."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import AlreadyExists, NotFound
from bentoml.repository.staging import AREA
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.yatai.remote.repository import RemoteRepository

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
