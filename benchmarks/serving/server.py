"""A peer as a process: started, asked until it answers, measured, stopped with all its children."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from .peer import PEERS_DIR, Peer, Start
from .workloads import Workload

READY_WITHIN_S = 240.0
STOP_WITHIN_S = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def base_environment(threads: int) -> dict[str, str]:
    """Variables of every peer; `threads` of the numeric libraries each, 0 leaves that to the peer."""
    counts = {} if not threads else {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    return {**os.environ, **counts, "PYTHONPATH": str(PEERS_DIR)}


def ask(port: int, path: str, body: bytes, content_type: str, timeout_s: float = 120.0) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("POST", path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class RunningPeer:
    """One started server. `tree_cpu_s` and `tree_rss_mib` count it with all its children."""

    def __init__(
        self, peer: Peer, workload: Workload, port: int, process: subprocess.Popen[bytes], log: Path
    ):
        self.peer = peer
        self.workload = workload
        self.port = port
        self.path = peer.path or workload.path
        self.process = process
        self.log = log

    @property
    def content_type(self) -> str:
        return self.peer.content_type or self.workload.content_type

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def ask(self, body: bytes) -> bytes:
        """Raises `SystemExit` with the server's last lines when the answer is not 200."""
        status, answer = ask(self.port, self.path, self.peer.body(body), self.content_type)
        if status != 200:
            raise SystemExit(f"{self.peer.name} answered {status}: {answer[:300]!r}\n{self.last_lines()}")
        return answer

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        body = self.peer.body(self.workload.body)
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.peer.name} ended at its start:\n{self.last_lines()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(self.port, self.path, body, self.content_type)[0] == 200:
                    return
            time.sleep(0.1)
        raise SystemExit(f"{self.peer.name} was not ready after {READY_WITHIN_S:.0f} s:\n{self.last_lines()}")

    def check_answers(self) -> bytes:
        """Ask different questions at once and compare each answer; returns the body of the load's answer."""
        for body, _ in self.workload.checks:  # alone first: 0.13 refuses a burst before it has learned
            self.ask(body)
        questions = [*self.workload.checks] * self.workload.copies if self.peer.answers else []
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda question: self.ask(question[0]), questions))
        for (body, expected), answer in zip(questions, answers, strict=True):
            got = self._value(answer)
            if got != expected:
                raise SystemExit(
                    f"{self.peer.name} answered {body[:200]!r} with {str(got)[:200]} "
                    f"instead of {str(expected)[:200]}."
                )
        return self.ask(self.workload.body)

    def _value(self, answer: bytes) -> Any:
        if self.peer.value is None:
            return self.workload.answer_in(answer)
        return self.peer.value(json.loads(answer))

    def _tree(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def tree_cpu_s(self) -> float:
        total = 0.0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def tree_rss_mib(self) -> float:
        total = 0
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total / 2**20

    def stop(self) -> None:
        children = self._tree()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_WITHIN_S)
        _, alive = psutil.wait_procs(children, timeout=2)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)


@contextlib.contextmanager
def running(
    peer: Peer, workload: Workload, python: Path, directory: Path, connections: int, threads: int = 1
) -> Iterator[RunningPeer]:
    """Start `peer` on a free port, wait until it answers, and stop it in the end.

    Args:
        threads: see `base_environment`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    start = Start(python, workload.name, free_port(), directory, connections)
    environment = {**base_environment(threads), **peer.environment(start)}
    log = directory / "server.log"
    with log.open("wb") as output:
        if peer.settings is not None:
            peer.settings(start)
        if peer.prepare is not None:
            prepared = subprocess.run(
                peer.prepare(start), cwd=directory, env=environment, stdout=output, stderr=output, check=False
            )
            if prepared.returncode:
                raise SystemExit(
                    f"{peer.name} could not be prepared:\n{log.read_text(errors='replace')[-3000:]}"
                )
        process = subprocess.Popen(
            peer.command(start), cwd=directory, env=environment, stdout=output, stderr=output
        )
    server = RunningPeer(peer, workload, start.port, process, log)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()
