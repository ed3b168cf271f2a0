"""A process that is told to end lets the container engine's order end first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bentoml.deploy.containers import operator
from bentoml.deploy.containers.engine import ASK_WITHIN_S
from bentoml.deploy.machine.directory import DeploymentDirectory
from tests.server.live.process import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM")

ENGINE = """#!/bin/sh
echo "begun $1" >> "$ENGINE_LOG"
sleep 1
echo "ended $1" >> "$ENGINE_LOG"
"""
PROGRAM = """
import signal, sys
from bentoml.deploy.containers.engine import ContainerEngine

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
engine = ContainerEngine("podman")
order = getattr(engine, sys.argv[1])
order("iris", 5.0) if sys.argv[1] == "stop" else order("iris")
engine.start("never")
"""


@pytest.mark.parametrize(
    ("order", "word"), [("create", "create"), ("start", "start"), ("stop", "stop"), ("remove", "rm")]
)
def test_an_order_that_has_begun_is_not_cut_off(tmp_path: Path, order: str, word: str) -> None:
    (tmp_path / "podman").write_text(ENGINE)
    (tmp_path / "podman").chmod(0o755)
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, order],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "ENGINE_LOG": str(log)},
    )
    until(lambda: log.exists() and f"begun {word}" in log.read_text(), 30, "the order")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 7
    assert log.read_text().split("\n") == [f"begun {word}", f"ended {word}", ""]


def test_a_rollout_gets_the_time_of_the_container_that_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = DeploymentDirectory(tmp_path)
    directory.write_plan({"grace_s": 5})
    directory.write_status({"serving": {"grace_s": 900.0}})
    given: list[float] = []
    monkeypatch.setattr(operator, "end_keeper", lambda _directory, within_s: given.append(within_s))
    operator._end_keeper(directory)
    assert given[0] > 900 + ASK_WITHIN_S - 1
