"""The front's side of preloading: one process loads the service, every worker is a copy of it.

A forked worker shares the memory of the model with the others until one of them writes to it, in any
format, and starts in milliseconds. Whether a process may be forked is decided by the process itself,
after loading (see `forking`); where it may not, workers load the service themselves, as ever.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from .config import WorkerConfig
from .process import WorkerProcess, children_hold_signals, command_of, environment_of
from .slab import Slab

logger = logging.getLogger("bentoml.server")

ENTRY = "from bentoml.workers.forking import main; main()"
FD_VARIABLE = "BENTOML_TEMPLATE_FD"
MESSAGE_BYTES = 1 << 17
FORK_TIMEOUT_S = 30.0
KILLED = -9


def is_supported() -> bool:
    """Whether this system has what a safe fork and a safe kill of a grandchild need."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


class Template:
    """A process with the service loaded, started when the first worker is asked for.

    Args:
        config: orders for the workers.
        environment: variables of the process, and so of every worker.
        load_timeout_s: a process that has not loaded the service by then is given up.
        slab: memory shared with the workers.
    """

    def __init__(
        self,
        config: WorkerConfig,
        environment: Mapping[str, str],
        load_timeout_s: float,
        slab: Slab | None = None,
    ) -> None:
        self._config = config
        self._environment = environment
        self._load_timeout_s = load_timeout_s
        self._slab = slab
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._exits: dict[int, int] = {}
        self._is_refused = False
        self._closed = threading.Event()

    def fork(self, environment: Mapping[str, str]) -> WorkerProcess | None:
        """A new worker with these variables added; None when workers have to load the service themselves.

        Blocks, the first time until the service is loaded.

        Raises:
            OSError: the process died in the meantime (the next call starts another), or was closed.
        """
        with self._lock:
            if self._closed.is_set():
                raise OSError("the server is stopping")
            if self._is_refused or not self._is_ready():
                return None
            assert self._control is not None
            self._control.settimeout(FORK_TIMEOUT_S)
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    order = json.dumps({"environment": dict(environment)}).encode()
                    socket.send_fds(self._control, [order], [theirs.fileno()])
                answer, fds = self._receive("pid")
            except OSError:
                ours.close()
                self._drop()
                raise
        return WorkerProcess(ForkedProcess(int(answer["pid"]), fds[0], self), ours)

    def exit_code_of(self, pid: int) -> int | None:
        """What a forked worker ended with, as `Popen.returncode`; None when that is not known (yet)."""
        if self._lock.acquire(blocking=False):
            try:
                self._read_exits()
            except OSError:
                self._drop()
            finally:
                self._lock.release()
        code = self._exits.pop(pid, None)
        return KILLED if code is None and self._control is None else code

    def close(self) -> None:
        """End the process; workers that it forked end with it."""
        self._closed.set()
        process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _is_ready(self) -> bool:
        """Start the process if there is none; whether it may be forked."""
        if self._control is not None:
            return True
        self._start()
        try:
            if self._closed.is_set():
                raise OSError("the server is stopping")
            answer, _ = self._receive("ready", "refused")
        except OSError as err:
            self._drop()
            if self._closed.is_set():
                raise
            answer = {"refused": f"the process that should load it ended ({err})"}
        if "refused" in answer:
            logger.warning("Every worker loads the service itself: %s.", answer["refused"])
            self._is_refused = True
            self._drop()
        return not self._is_refused

    def _start(self) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            variables = {**self._environment, FD_VARIABLE: str(theirs.fileno())}
            given = [theirs.fileno()]
            if self._slab is not None:
                variables.update(self._slab.environment)
                given.append(self._slab.fd)
            with children_hold_signals():
                self._process = subprocess.Popen(
                    command_of(ENTRY),
                    env=environment_of(variables),
                    stdin=subprocess.DEVNULL,
                    pass_fds=given,
                )
        self._control = control
        control.settimeout(self._load_timeout_s)
        control.send(self._config.to_bytes())

    def _receive(self, *wanted: str) -> tuple[dict[str, Any], list[int]]:
        """The next message that has one of these fields; exits that are told before it are noted."""
        assert self._control is not None
        while True:
            data, fds, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 1)
            if not data:
                raise OSError("the process that forks workers ended")
            message: dict[str, Any] = json.loads(data)
            if any(name in message for name in wanted):
                return message, fds
            self._note(message)

    def _read_exits(self) -> None:
        while self._control is not None and _is_readable(self._control.fileno(), timeout_ms=0):
            data = self._control.recv(MESSAGE_BYTES)
            if not data:
                raise OSError("the process that forks workers ended")
            self._note(json.loads(data))

    def _note(self, message: Mapping[str, Any]) -> None:
        if "exited" in message:
            self._exits[message["exited"]] = message["code"]

    def _drop(self) -> None:
        control, self._control = self._control, None
        process, self._process = self._process, None
        if control is not None:
            control.close()
        if process is not None:
            process.kill()
            process.wait()


class ForkedProcess:
    """A worker that is no child of ours: the part of `subprocess.Popen` that the supervisor uses.

    Args:
        pidfd: names this very process, also after its number was given to another.
    """

    def __init__(self, pid: int, pidfd: int, template: Template) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._pidfd = pidfd
        self._template = template

    def poll(self) -> int | None:
        """The exit code once the process has ended and its parent has said how, else None."""
        if self.returncode is None and (self._pidfd < 0 or _is_readable(self._pidfd, timeout_ms=0)):
            self.returncode = self._template.exit_code_of(self.pid)
        return self.returncode

    def kill(self) -> None:
        if self._pidfd >= 0 and not _is_readable(self._pidfd, timeout_ms=0):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # type: ignore[attr-defined, unused-ignore]

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, 0 for one that nobody told. After that only `poll` has a meaning."""
        if not _is_readable(self._pidfd, timeout_ms=None if timeout is None else round(timeout * 1000)):
            raise subprocess.TimeoutExpired(ENTRY, timeout or 0.0)
        pidfd, self._pidfd = self._pidfd, -1
        os.close(pidfd)
        return self.poll() or 0


def _is_readable(fd: int, timeout_ms: int | None) -> bool:
    """A descriptor of a process is readable once that has ended."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(timeout_ms))
