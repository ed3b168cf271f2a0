"""Starts the processes that look after deployments, apart from this process: they live on when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bentoml.exceptions import BentoMLException

from .directory import DeploymentDirectory

START_WITHIN_S = 30.0
_POLL_S = 0.02
_SECRETS = ("BENTOML_DB_URL", "BENTOML_YATAI_", "BENTOML_GRPC_PORT", "BENTOML_WEB_UI_PORT", "BENTOML_FD")


def ensure_keeper(directory: DeploymentDirectory, module: str) -> None:
    """Start a keeper, or tell the one there is that the plan changed.

    Args:
        module: the program, which takes the directory's lock while it works.

    Raises:
        BentoMLException: it ends at once, with the reason.
    """
    pid = directory.keeper_pid()
    if pid:
        os.kill(pid, signal.SIGHUP)
        return
    process = _spawn(directory, module)
    _children.append(process)
    end = time.monotonic() + START_WITHIN_S
    while directory.keeper_pid() is None:
        if process.poll() == 0:
            return  # what there was to do is done, or another one does it
        if process.poll() is not None or time.monotonic() > end:
            reason = directory.status().get("error") or _last_words(directory.path)
            raise BentoMLException(f"The keeper of {directory.path.name} did not start. {reason}")
        time.sleep(_POLL_S)


def reap() -> None:
    """Take note of keepers that ended, so that they do not stay as zombies."""
    _children[:] = [process for process in _children if process.poll() is None]


_children: list[subprocess.Popen[bytes]] = []


def _spawn(directory: DeploymentDirectory, module: str) -> subprocess.Popen[bytes]:
    variables = {key: value for key, value in os.environ.items() if not key.startswith(_SECRETS)}
    with (directory.logs / "keeper.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(directory.path)],
            cwd="/",
            env={**variables, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _last_words(path: Path) -> str:
    try:
        lines = (path / "logs" / "keeper.log").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
