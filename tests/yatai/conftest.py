"""A registry, and a real server over it, in this process; on SQLite and, where it can run, PostgreSQL."""

from __future__ import annotations

import io
import itertools
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="the extra `yatai` is not installed")

from bentoml.repository.base import BundleRecord
from bentoml.settings import Settings, load_settings
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.registry import Registry, open_registry
from bentoml.yatai.server import YataiServer
from tests.deploy.conftest import some_ports
from tests.repository.bundles import make_bundle

from .postgres import Postgres, start_postgres
from .wire import NEW, Wire


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server of this test session."""
    with start_postgres(tmp_path_factory) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("BENTOML_HOME", str(path))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    monkeypatch.setenv("BENTOML_LOG_FILE", "false")
    monkeypatch.setenv("BENTOML_YATAI_DEPLOYMENT_PORTS", "{}-{}".format(*some_ports()))
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))])
def db_url(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty database; None is the SQLite file of the home."""
    if request.param == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def settings(home: Path, db_url: str | None) -> Settings:
    return load_settings(yatai__grpc_port=0, yatai__ui_port=0, yatai__database_url=db_url)


@pytest.fixture
def registry(settings: Settings) -> Registry:
    return open_registry(settings)


@pytest.fixture
def add(registry: Registry, tmp_path: Path) -> Callable[..., BundleRecord]:
    """Make a tiny bundle and add it: `add("Name", "1", {"env": "prod"})`."""
    numbers = itertools.count()

    def add_bundle(
        name: str = "Tiny",
        version: str = "1",
        labels: dict[str, str] | None = None,
        content: bytes = b"weights",
    ) -> BundleRecord:
        source = make_bundle(tmp_path / f"made-{next(numbers)}", name, version, content=content)
        record = registry.uploads.receive_whole(LOCAL, Tag(name, version), [tar_of(source)])
        return registry.bundles.update_labels(LOCAL, record, labels) if labels else record

    return add_bundle


def tar_of(bundle: Path) -> bytes:
    """The bundle as an uncompressed tar, as clients send it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in sorted(bundle.rglob("*")):
            archive.add(path, str(path.relative_to(bundle)), recursive=False)
    return stream.getvalue()


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    server: YataiServer
    registry: Registry
    settings: Settings

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.grpc_port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.ui_port}"


@pytest.fixture
def start(settings: Settings, registry: Registry) -> Iterator[Callable[..., Running]]:
    """Start a server: `start(auth_required=True)`; all of them end with the test."""
    running: list[tuple[YataiServer, threading.Thread | None]] = []

    def start_server(*, auth_required: bool = False, **overrides: object) -> Running:
        yatai = settings.yatai.model_copy(update=overrides)
        chosen = settings.model_copy(update={"yatai": yatai})
        server = YataiServer(registry, chosen, auth_required=auth_required)
        server.start()
        thread = None
        if server.ui_port is not None:
            thread = threading.Thread(target=server.run_web, daemon=True)
            thread.start()
        running.append((server, thread))
        return Running(server, registry, chosen)

    yield start_server
    for server, thread in running:
        server.stop(0.2)
        if thread is not None:
            thread.join(timeout=20)


@pytest.fixture
def server(start: Callable[..., Running]) -> Running:
    return start()


@pytest.fixture
def wire(server: Running) -> Iterator[Wire]:
    """A client of this line: errors are gRPC statuses."""
    client = Wire(server.server.grpc_port, NEW)
    yield client
    client.close()


@pytest.fixture
def old_wire(server: Running) -> Iterator[Wire]:
    """A client as 0.13 has it: errors are in the answers."""
    client = Wire(server.server.grpc_port)
    yield client
    client.close()
