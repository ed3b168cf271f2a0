"""Clients that push, pull, delete and move an alias until their server dies, and what they were promised."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bentoml.bundle.manifest import verify_manifest
from bentoml.exceptions import BentoMLException, BentoMLRpcError, NotFound
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings
from bentoml.tags import Tag
from bentoml.yatai.remote.download import download
from bentoml.yatai.remote.repository import RemoteRepository
from tests.repository.bundles import make_bundle

NAME = "Iris"
SIZE_BYTES = 1_500_000


@dataclass
class Promises:
    """What the server acknowledged, and what it was asked without an answer.

    Attributes:
        kept: acknowledged pushes that nobody asked to delete.
        unknown: pushes and deletions that got no answer: there or not.
        gone: acknowledged deletions.
        alias: where the alias may be: the last acknowledged version, and the one asked for since.
    """

    kept: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    alias: list[str | None] = field(default_factory=lambda: [None])
    calls: int = 0
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Load:
    """One round of clients.

    Args:
        space: a directory of the clients' own; sources of bundles stay in it.
        promises: what earlier rounds were promised.
    """

    def __init__(self, address: str, space: Path, promises: Promises, prefix: str, seed: int) -> None:
        self._address, self._space, self._promises = address, space, promises
        self._prefix, self._seed = prefix, seed
        self._stop = threading.Event()
        self.begun = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work, number), daemon=True)
            for number, work in enumerate((self._push, self._push, self._pull, self._delete, self._alias))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Let everybody end, which they do by themselves once the server is dead."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=120)
            assert not thread.is_alive()

    def _run(self, work: Callable[[RemoteRepository, random.Random, str], None], number: int) -> None:
        chance = random.Random(f"{self._seed}-{number}")
        client = RpcClient(self._address, load_settings().yatai)
        repository = RemoteRepository(client)
        try:
            for turn in range(10_000):
                if self._stop.is_set():
                    return
                work(repository, chance, f"{self._prefix}.{number}.{turn}")
                self._promises.calls += 1
        except BentoMLRpcError:
            return  # the server is dead
        except Exception as err:
            self._promises.failures.append(f"{work.__name__}: {type(err).__name__}: {err}")
        finally:
            client.close()

    def _push(self, repository: RemoteRepository, chance: random.Random, version: str) -> None:
        promises = self._promises
        source = self.source(version)
        self.begun.set()
        with promises.lock:
            promises.unknown.add(version)
        repository.add_directory(source, {"round": self._prefix})
        with promises.lock:
            promises.unknown.discard(version)
            promises.kept.add(version)

    def source(self, version: str) -> Path:
        path = self._space / version
        if not path.exists():
            content = random.Random(version).randbytes(SIZE_BYTES)
            make_bundle(path, NAME, version, content=content)
        return path

    def _pull(self, repository: RemoteRepository, chance: random.Random, turn: str) -> None:
        version = self._choose(chance)
        if version is None:
            self._stop.wait(0.01)
            return
        target = self._space / f"pulled-{turn}"
        try:
            download(repository.client, repository.get(NAME, version), target)
        except NotFound:
            return  # deleted meanwhile
        assert verify_manifest(target) is not None
        shutil.rmtree(target)

    def _delete(self, repository: RemoteRepository, chance: random.Random, _turn: str) -> None:
        promises = self._promises
        self._stop.wait(0.05)
        with promises.lock:
            free = sorted(promises.kept - set(promises.alias) - promises.gone)
            version = chance.choice(free) if len(free) > 2 else None
            if version is not None:
                promises.kept.discard(version)
                promises.unknown.add(version)
        if version is None:
            return
        try:
            repository.delete(NAME, version)
        except BentoMLException as err:
            if "points to it" not in str(err):
                raise
            with promises.lock:
                promises.unknown.discard(version)
                promises.kept.add(version)
            return
        with promises.lock:
            promises.unknown.discard(version)
            promises.gone.add(version)

    def _alias(self, repository: RemoteRepository, chance: random.Random, _turn: str) -> None:
        promises = self._promises
        self._stop.wait(0.01)
        version = self._choose(chance)
        if version is None:
            return
        with promises.lock:
            promises.alias.append(version)
        try:
            repository.client.call("SetAlias", name=NAME, alias="prod", version=version)
        except NotFound:
            with promises.lock:
                promises.alias.remove(version)
            return
        with promises.lock:
            promises.alias = [version]

    def _choose(self, chance: random.Random) -> str | None:
        with self._promises.lock:
            kept = sorted(self._promises.kept)
        return chance.choice(kept) if kept else None


def tag_of(version: str) -> Tag:
    return Tag(NAME, version)
