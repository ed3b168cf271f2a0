"""A real server in a process of its own, to be killed, stopped and started again on the same port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_WITHIN_S = 120.0


class ServerProcess:
    """`bentoml yatai-service-start` over one home and one database.

    Args:
        home: the server's home; its log is beside it.
        db_url: None is the SQLite file of the home.
    """

    def __init__(self, home: Path, db_url: str | None = None, *options: str) -> None:
        self.home = home
        self.db_url = db_url
        self.options = options
        self.port = free_port()
        self.log = home.with_name(f"{home.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def environment(self) -> dict[str, str]:
        return {**os.environ, "BENTOML_HOME": str(self.home), "BENTOML_LOG_FILE": "false"}

    def command(self) -> list[str]:
        command = [sys.executable, "-m", "bentoml", "yatai-service-start", "--no-ui"]
        command += ["--grpc-port", str(self.port), *self.options]
        return command + (["--db-url", self.db_url] if self.db_url else [])

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.home.mkdir(exist_ok=True)
        seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command(), stdout=out, stderr=subprocess.STDOUT, env=self.environment()
            )
        end = time.monotonic() + START_WITHIN_S
        while not re.search(rb"Running on \S+ ", self.log.read_bytes()[seen:]):
            assert self._process.poll() is None, self.log.read_text("utf-8", "replace")
            assert time.monotonic() < end, "the server did not start in time"
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    close = kill

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for an end that comes from elsewhere."""
        assert self._process is not None
        code = self._process.wait(timeout=START_WITHIN_S)
        self._process = None
        return code

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        return self.wait()


@contextmanager
def server_process(home: Path, db_url: str | None = None, *options: str) -> Iterator[ServerProcess]:
    """One that is not started yet, and does not outlive the block."""
    server = ServerProcess(home, db_url, *options)
    try:
        yield server
    finally:
        server.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
