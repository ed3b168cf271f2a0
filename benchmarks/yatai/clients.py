"""Several clients at once: all of them wait at a barrier, then work, and say when they are done."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """How long all of them took together, and the CPU of their processes from beginning to end."""

    seconds: float
    cpu_s: float
    failed: int


def run_waiting(address: str, what: str, arguments: Sequence[str], homes: Sequence[Path]) -> Timing:
    """From the moment that all clients are let go to the last one's `done`; their start is not in it."""
    command = [sys.executable, "-m", "benchmarks.yatai.client", what, address]
    clients = [
        subprocess.Popen(
            [*command, argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BENTOML_HOME": str(home)},
        )
        for argument, home in zip(arguments, homes, strict=True)
    ]
    for client in clients:
        _expect(client, "ready\n")
    before, begun = _children_cpu_s(), time.perf_counter()
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("go\n")
        client.stdin.flush()
    failed = sum(not _expect(client, "done\n") for client in clients)
    seconds = time.perf_counter() - begun
    for client in clients:
        client.communicate(timeout=60)
    return Timing(seconds, _children_cpu_s() - before, failed)


def run_commands(commands: Sequence[Sequence[str]], homes: Sequence[Path]) -> Timing:
    """From the start of the commands to the end of the last one: what somebody at a terminal waits for."""
    before, begun = _children_cpu_s(), time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bentoml", *command],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "BENTOML_HOME": str(home)},
        )
        for command, home in zip(commands, homes, strict=True)
    ]
    failed = sum(process.wait() != 0 for process in running)
    return Timing(time.perf_counter() - begun, _children_cpu_s() - before, failed)


def _expect(client: subprocess.Popen[str], line: str) -> bool:
    """Wait for a line; False if the output ends without it."""
    assert client.stdout is not None
    return any(said == line for said in client.stdout)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
