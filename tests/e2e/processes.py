"""Real processes for the journeys: commands as a user types them, servers on ports of their own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN_S = 90.0
STOP_WITHIN_S = 45.0
RUNNING = re.compile(r"Running on http://[^:/]+:(\d+)")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def environment(home: Path) -> dict[str, str]:
    """The variables of a user's shell: our console script first, a home of their own, no proxies."""
    kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("BENTOML_")}
    return {
        **kept,
        "BENTOML_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
    }


def copy_example(name: str, target: Path) -> Path:
    """A folder of the example's own, so that a run leaves nothing behind in the checkout."""
    return Path(shutil.copytree(EXAMPLES / name, target / name, ignore=shutil.ignore_patterns("__pycache__")))


def run(command: Sequence[str], cwd: Path, home: Path, timeout_s: float = 180.0) -> str:
    """Run to the end and return what it printed; fails with its output when it ends in an error."""
    done = subprocess.run(
        command, cwd=cwd, env=environment(home), capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass
class Server:
    """A started `bentoml serve`; `lines` is everything it has printed so far."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            found = RUNNING.search(self.lines)
            if found:
                self.port = int(found[1])
                return
            assert self.process.poll() is None, (
                f"the server ended with {self.process.returncode}:\n{self.lines}"
            )
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready within {READY_WITHIN_S} s:\n{self.lines}")

    def stop(self) -> int:
        """SIGTERM, as a container would; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_WITHIN_S)


@contextlib.contextmanager
def serving(command: Sequence[str], cwd: Path, home: Path) -> Iterator[Server]:
    """Start a serve command, wait until it says that it runs, stop it; its exit code must be 0."""
    log = cwd / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment(home), stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(process, log)
    try:
        server.wait_until_ready()
        yield server
        code = server.stop()
        assert code == 0, f"the server ended with {code}:\n{server.lines}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def port_is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True
