"""Starts one worker process and hands it its end of a channel."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Protocol

from .channel import LoopbackListener
from .slab import Slab

ENTRY = "from bentoml.workers.main import main; main()"
CONNECT_TIMEOUT_S = 30.0
LAST_MOMENT_S = 0.05
STOPPING = (signal.SIGINT, signal.SIGTERM)


class Process(Protocol):
    """What a supervisor needs of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A started process and our end of its channel."""

    process: Process
    sock: socket.socket

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        """How it ended; a process that closed its channel a moment ago is given another to end."""
        end = monotonic() + LAST_MOMENT_S
        while (code := self.process.poll()) is None and monotonic() < end:
            sleep(0.001)
        return code

    def kill(self) -> None:
        """SIGKILL; also ends a stopped process."""
        if self.process.poll() is None:
            self.process.kill()


def spawn(
    environment: Mapping[str, str],
    *,
    by_descriptor: bool = os.name == "posix",
    entry: str = ENTRY,
    slab: Slab | None = None,
) -> WorkerProcess:
    """Start a worker. It imports the library anew (never forked), so no thread or lock is inherited.

    Args:
        environment: variables added to ours.
        by_descriptor: hand the channel over as a file descriptor; else over loopback with a secret.
        entry: the program it runs.
        slab: memory that it shares with us.
    """
    command, environ = command_of(entry), environment_of(environment)
    if by_descriptor:
        ours, theirs = socket.socketpair()
        with theirs:
            environ["BENTOML_WORKER_FD"] = str(theirs.fileno())
            given = [theirs.fileno()]
            if slab is not None:
                environ.update(slab.environment)
                given.append(slab.fd)
            with children_hold_signals():
                process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, pass_fds=given)
        return WorkerProcess(process, ours)
    listener = LoopbackListener()
    environ["BENTOML_WORKER_PORT"] = str(listener.port)
    with children_hold_signals():
        process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(listener.secret)
    process.stdin.close()
    return WorkerProcess(process, listener.accept(CONNECT_TIMEOUT_S))


def command_of(entry: str) -> list[str]:
    """Runs a program with this interpreter."""
    return [sys.executable, "-c", entry]


def environment_of(variables: Mapping[str, str]) -> dict[str, str]:
    """Our variables and these, without a place in the working directory for modules."""
    return {**os.environ, "PYTHONSAFEPATH": "1", **variables}


@contextlib.contextmanager
def children_hold_signals() -> Iterator[None]:
    """Processes started within hold SIGINT and SIGTERM back until they call `ignore_stop_signals`.

    Ctrl-C in a terminal reaches them too, and would end one that has just begun with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_stop_signals() -> None:
    """For a worker: whoever started it decides when it ends."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal (SIGSTOP, a debugger). Known on Linux only."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in (b"T", b"t")


def reap_later(process: Process) -> None:
    """Collect an ended process without blocking the event loop, so that no zombie stays."""
    threading.Thread(target=process.wait, daemon=True, name="bentoml-reaper").start()
