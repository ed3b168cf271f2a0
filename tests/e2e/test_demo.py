"""`make demo`: ends by itself in a pipe, serves until Ctrl-C in a terminal."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from .processes import EXAMPLES, environment

pytestmark = pytest.mark.xdist_group("port5000")
DEMO = [sys.executable, str(EXAMPLES / "iris" / "demo.py")]


def test_demo_in_a_pipe_ends_with_code_0(tmp_path: Path) -> None:
    done = subprocess.run(
        DEMO, cwd=tmp_path, env=environment(tmp_path / "home"), capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'species': 'virginica'" in done.stdout
    assert re.search(r"The page of this service: http://127\.0\.0\.1:\d+/", done.stdout)
    assert "The server has stopped cleanly." in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_demo_in_a_terminal_serves_until_ctrl_c(tmp_path: Path) -> None:
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background has it ignored
        os.chdir(tmp_path)
        os.execve(DEMO[0], DEMO, environment(tmp_path / "home"))
    screen = _read_until(terminal, "Press Ctrl-C to stop.", 120)
    address = re.search(r"The page of this service: (http://\S+)/", screen)
    assert address is not None, screen
    assert requests.get(f"{address[1]}/livez", timeout=30).status_code == 200
    os.write(terminal, b"\x03")
    screen = _read_until(terminal, None, 60)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert "The server has stopped cleanly." in screen
    assert "Traceback" not in screen
    assert os.waitstatus_to_exitcode(status) == 0, screen


def _read_until(terminal: int, text: str | None, within_s: float) -> str:
    """The output up to `text`; all of it, until nobody writes any more, for None."""
    screen = ""
    deadline = time.monotonic() + within_s
    while text is None or text not in screen:
        assert time.monotonic() < deadline, screen
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            screen += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # Linux says so at the end of the terminal's output
            assert text is None, screen
            break
    return screen
