"""One `bentoml serve` on the shared socket: started, heard when it is ready, drained."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bentoml.deploy.machine.log_file import RotatingLog

PR_SET_PDEATHSIG = 1
LINE_LIMIT = 1 << 16
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ServiceProcess:
    """A process that serves one revision of a plan.

    Attributes:
        ready: set when it says that a prediction would be served.
    """

    def __init__(self, plan: dict[str, Any], process: asyncio.subprocess.Process) -> None:
        self.plan = plan
        self.ready = asyncio.Event()
        self.exited = asyncio.create_task(process.wait())
        self.last_line = ""
        self.since = time.time()
        self._process = process

    @property
    def revision(self) -> int:
        return int(self.plan["revision"])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    async def pump(self, log: RotatingLog) -> None:
        """Move what it prints into the log, until it and its workers closed their ends."""
        stream = self._process.stdout
        assert stream is not None
        while True:
            try:
                line = await stream.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                line = await stream.read(LINE_LIMIT)
            except asyncio.IncompleteReadError as err:
                log.write(err.partial)
                return
            text = line.decode("utf-8", "replace").strip()
            self.last_line = text or self.last_line
            log.write(line)

    async def drain(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL if it is there after its grace period."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        _, left = await asyncio.wait([self.exited], timeout=grace_s + 10)
        if left:
            self.kill()
            await self.exited

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


async def launch(plan: dict[str, Any], sock: socket.socket, notices: ReadyNotices) -> ServiceProcess:
    """Start the service of a plan."""
    command = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        plan["bundle"],
        f"--fd={sock.fileno()}",
        f"--grace={plan['grace_s']:g}",
        *plan["arguments"],
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **plan["environment"], "PYTHONSAFEPATH": "1", "NOTIFY_SOCKET": notices.address},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=[sock.fileno()],
        preexec_fn=_end_with_parent,
        limit=LINE_LIMIT,
    )
    service = ServiceProcess(plan, process)
    notices.expect(process.pid, service.ready.set)
    return service


def _end_with_parent() -> None:
    """A killed keeper must not leave a service that nobody watches: it drains."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class ReadyNotices:
    """The socket on which services say `READY=1`."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="bentoml-keeper-")
        self.address = str(Path(self._directory.name) / "notify")
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(self.address)
        self._sock.setblocking(False)
        self._expected: dict[int, Callable[[], None]] = {}

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._receive)

    def expect(self, pid: int, then: Callable[[], None]) -> None:
        self._expected[pid] = then

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()
        self._directory.cleanup()

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                fields = dict(
                    line.split("=", 1) for line in self._sock.recv(4096).decode().split("\n") if line
                )
                then = self._expected.pop(int(fields.get("MAINPID", 0)), None)
                if then is not None and fields.get("READY") == "1":
                    then()
