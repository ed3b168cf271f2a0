"""Signals that arrive while a server is on its way out do not change how it ends."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from pathlib import Path

import pytest

from bentoml.workers.process import spawn

from .process import serving, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_F05_signals_until_the_very_end_still_give_exit_code_0(
    probe_bundle: Path, tmp_path: Path, first: signal.Signals
) -> None:
    """A terminal and a supervisor may both tell a server to stop; the second one comes at any moment."""
    with serving(probe_bundle, tmp_path) as server:
        server.signal(first)
        end = time.monotonic() + 30
        while server.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(ProcessLookupError):
                server.signal(signal.SIGTERM)
        assert server.process.returncode == 0, server.log


def test_ctrl_c_while_a_worker_starts_leaves_it_to_the_front(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of a terminal; a worker ends with its front, without a traceback."""
    program = "import time; time.sleep(1); from bentoml.workers.main import main; main()"
    for number in (signal.SIGINT, signal.SIGTERM):
        worker = spawn({}, entry=f"open({str(tmp_path / 'up')!r}, 'w').close(); {program}")
        until((tmp_path / "up").exists, what="the worker's first line")
        worker.process.send_signal(number)
        worker.sock.close()
        assert worker.process.wait(30) == 0
        (tmp_path / "up").unlink()
