"""The operator `local` with a real service, and a registry that has its bundle."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bentoml.deploy.base import Wanted
from bentoml.deploy.local.operator import LocalOperator
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.deploy.registry import Host
from tests.server.live.process import save_probe, until

from .podman import Podman

READY_WITHIN_S = 90.0
Want = Callable[..., Wanted]


def some_ports() -> tuple[int, int]:
    """A range of ports that another test at the same time hardly has."""
    first = random.randrange(10000, 30000, 50)
    return first, first + 49


@pytest.fixture(scope="session")
def probe_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory, probe_bundle: Path) -> Iterator[Podman]:
    engine = Podman(tmp_path_factory.mktemp("podman"))
    engine.require_containers()
    engine.add_bundle("localhost/probe:1", probe_bundle)
    broken = tmp_path_factory.mktemp("broken")
    engine.add_image(
        "localhost/broken:1", broken, 'ENTRYPOINT ["/usr/bin/sh", "-c", "echo no model here >&2; exit 3"]'
    )
    yield engine
    engine.remove_everything()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("BENTOML_HOME", str(path))
    monkeypatch.setenv("PROBE_LOG", str(tmp_path / "probe.log"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    return path


@pytest.fixture
def operator(home: Path) -> Iterator[LocalOperator]:
    """The operator; whatever it started is ended with the test."""
    directory = home / "deployments"
    yield LocalOperator(Host(directory, some_ports()))
    end_keepers(directory)


def end_keepers(directory: Path) -> None:
    for lock in directory.glob("*/*/keeper.lock"):
        found = DeploymentDirectory(lock.parent)
        pid = found.keeper_pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            until(lambda found=found: found.keeper_pid() is None, 60, "the end of a keeper")  # type: ignore[misc]


@pytest.fixture
def want(probe_bundle: Path) -> Want:
    """A deployment of the probe: `want(workers=2)`; `bundle=` is another one."""

    def make(version: str = "1", bundle: Path = probe_bundle, **config: Any) -> Wanted:
        return Wanted("dev", "iris", "Probe", version, config, lambda: contextlib.nullcontext(bundle))

    return make


def until_running(operator: LocalOperator, wanted: Wanted, revision: int | None = None) -> dict[str, Any]:
    """Its info, once that revision serves and is ready."""

    def running() -> dict[str, Any] | None:
        seen = operator.describe(wanted, {})
        is_it = revision is None or seen.info.get("serving_revision") == revision
        return dict(seen.info) if seen.state == "RUNNING" and is_it else None

    info = until(running, READY_WITHIN_S, "the running deployment")
    assert info is not None
    return info
