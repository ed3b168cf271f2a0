"""Two servers for all HTTP tests: one with the default limits, one with tight ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.live.process import ServerProcess, serving
from tests.server.live.wire import still_serves

TIGHT = {
    "BENTOML_MAX_REQUEST_SIZE": "4096",
    "BENTOML_HEADER_TIMEOUT": "1",
    "BENTOML_BODY_TIMEOUT": "3",
    "BENTOML_KEEP_ALIVE": "3",
    "BENTOML_MAX_CHUNKS": "16",
    "BENTOML_MAX_HEADERS": "8",
    "BENTOML_MAX_TARGET_BYTES": "64",
    "BENTOML_MAX_HEADER_LINE_BYTES": "128",
    "BENTOML_MAX_HEADER_BYTES": "256",
    "BENTOML_MAX_CONNECTIONS": "300",
}


@pytest.fixture(scope="session")
def server(probe_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(probe_bundle, tmp_path_factory.mktemp("http")) as started:
        yield started


@pytest.fixture(scope="session")
def tight_server(probe_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(probe_bundle, tmp_path_factory.mktemp("tight"), env=TIGHT) as started:
        yield started


@pytest.fixture
def port(server: ServerProcess) -> Iterator[int]:
    """The server's port; after the test the same processes must still serve, without a traceback."""
    workers, logged = server.workers(), len(server.log)
    yield server.port
    still_serves(server.port)
    assert server.workers() == workers
    assert "Traceback" not in server.log[logged:]


@pytest.fixture
def tight_port(tight_server: ServerProcess) -> Iterator[int]:
    yield tight_server.port
    still_serves(tight_server.port)
    assert "Traceback" not in tight_server.log
