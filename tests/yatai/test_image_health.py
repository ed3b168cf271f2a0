"""What the HEALTHCHECK of the server's image runs, against servers of every form that an image takes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.containers.yatai_files import HEALTH
from bentoml.repository.base import BundleRecord

from .conftest import Running
from .faults.process import free_port

Start = Callable[..., Running]


@pytest.fixture
def db_url() -> None:
    """One database is enough."""


def health(*words: str, **variables: str) -> int:
    """Its exit code.

    Args:
        words: what the container was started with.
        variables: of its environment.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", HEALTH, *words], env=variables, capture_output=True, timeout=60
    )
    return done.returncode


def ports(server: Running) -> dict[str, str]:
    return {
        "BENTOML_YATAI_HOST": "0.0.0.0",
        "BENTOML_WEB_UI_PORT": str(server.server.ui_port),
        "BENTOML_GRPC_PORT": str(server.server.grpc_port),
    }


def test_server_that_answers(server: Running) -> None:
    assert health(**ports(server)) == 0


def test_ports_after_the_name_of_the_image(server: Running) -> None:
    web, grpc = str(server.server.ui_port), str(server.server.grpc_port)
    assert health("bentoml", "yatai-service-start", "--ui-port", web, "--grpc-port", grpc) == 0
    assert health("-", "--", "entrypoint.sh", f"--ui-port={web}", "--host=127.0.0.1") == 0
    assert health("bentoml", "yatai-service-start", "--ui-port", str(free_port())) != 0
    elsewhere = {**ports(server), "BENTOML_WEB_UI_PORT": str(free_port())}
    assert health("bentoml", "yatai-service-start", "--ui-port", web, **elsewhere) == 0


def test_server_that_is_not_started_or_hangs() -> None:
    assert health(BENTOML_WEB_UI_PORT=str(free_port())) != 0
    assert health("--no-ui", BENTOML_GRPC_PORT=str(free_port())) != 0
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        assert health(BENTOML_WEB_UI_PORT=str(silent.getsockname()[1])) != 0


def test_server_without_pages(start: Start) -> None:
    server = start(ui_enabled=False)
    grpc = str(server.server.grpc_port)
    assert server.server.ui_port is None
    assert health("bentoml", "yatai-service-start", "--no-ui", "--grpc-port", grpc) == 0
    assert health(BENTOML_ENABLE_WEB_UI="false", BENTOML_GRPC_PORT=grpc) == 0


def test_server_with_tls(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the extra `sign` is not installed")
    from .certificates import Authority

    pair = Authority(tmp_path, "authority").issue("server")
    assert health(**ports(start(tls_certificate=pair.certificate, tls_key=pair.key))) == 0


def test_server_behind_a_prefix_that_asks_for_tokens_under_one_name(start: Start) -> None:
    server = start(web_prefix_path="/team/yatai", auth_required=True, allowed_hosts=("models.example",))
    assert health(**ports(server)) == 0


def test_server_without_its_database(server: Running, home: Path, add: Callable[..., BundleRecord]) -> None:
    add("Iris", "1")  # an empty registry would begin a new one
    (home / "storage.db").rename(home / "aside")
    try:
        assert health(**ports(server)) != 0
    finally:
        (home / "aside").rename(home / "storage.db")
    assert health(**ports(server)) == 0
