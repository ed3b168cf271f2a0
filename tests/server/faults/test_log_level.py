"""`bento_server.logging.level`: the server may say less than everybody else."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.server.live.process import free_port, serving, starting, until
from tests.server.live.wire import get

pytestmark = pytest.mark.timeout(300)


def config(folder: Path, text: str) -> dict[str, str]:
    path = folder / "config.yml"
    path.write_text(text)
    return {"BENTOML_CONFIG": str(path)}


def is_ready(port: int) -> bool:
    try:
        return get(port, "/readyz").status == 200
    except OSError:
        return False


def test_a_higher_level_leaves_warnings(probe_bundle: Path, tmp_path: Path) -> None:
    env = config(tmp_path, "bento_server: {logging: {level: WARNING}}")
    port = free_port()
    with starting(probe_bundle, tmp_path / "run", ["--port", str(port)], env) as server:
        until(lambda: is_ready(port), 60, "readiness")
        os.kill(server.workers()[0], SIGKILL)
        until(lambda: "WARNING" in server.log or "ERROR" in server.log, 30, "the line about the death")
        assert "INFO" not in server.log
        assert server.stop() == 0


def test_a_lower_level_adds_nothing_to_what_logging_level_allows(probe_bundle: Path, tmp_path: Path) -> None:
    env = config(tmp_path, "bento_server: {logging: {level: DEBUG}}\nlogging: {level: ERROR}")
    port = free_port()
    with starting(probe_bundle, tmp_path / "run", ["--port", str(port)], env) as server:
        until(lambda: is_ready(port), 60, "readiness")
        assert server.stop() == 0
        assert "INFO" not in server.log


def test_the_default_shows_the_lines_of_the_start(probe_bundle: Path, tmp_path: Path) -> None:
    with serving(probe_bundle, tmp_path) as server:
        assert "Starting BentoML API server" in server.log
        assert server.stop() == 0
