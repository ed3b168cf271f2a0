"""Run an action in a child process and let one of its system calls kill it or fail.

The child is a fork that stops itself; strace attaches, and counting starts there: N = 1 is the first
such call of the action, not of the interpreter.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from bentoml.exceptions import BentoMLException


class Outcome(Enum):
    """How the child ended."""

    DONE = 0
    REFUSED = 10
    CRASHED_PYTHON = 11
    KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Result:
    """How the child ended, and whether it ever reached the call that was to be met."""

    outcome: Outcome
    injected: bool


def needs_strace(directory: Path) -> None:
    """Skip the test where strace is missing or may not attach."""
    reason = "needs Linux and an strace that may attach to processes"
    if sys.platform != "linux" or shutil.which("strace") is None:
        pytest.skip(reason)
    try:
        run_injected(lambda: None, "fsync", "error=EIO", 1, directory)
    except OSError as err:
        pytest.skip(f"{reason}: {err}")


def run_injected(
    action: Callable[[], object], calls: str, injection: str, number: int, directory: Path
) -> Result:
    """Run `action`; the `number`-th call of one of `calls` meets `injection` ("signal=KILL", "error=EIO").

    Args:
        directory: where the trace is written.
    """
    child = os.fork()
    if child == 0:
        _run_child(action)
    _, status = os.waitpid(child, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        raise OSError("the child did not stop to be traced")
    trace = directory / "trace.log"
    inject = f"inject={calls}:{injection}:when={number}"
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", str(trace), "-e", f"trace={calls}", "-e", inject, "-p", str(child)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    tracer.communicate(timeout=30)
    if "attached" not in line:
        raise OSError(f"strace did not attach: {line}")
    outcome = Outcome(os.waitstatus_to_exitcode(status))
    return Result(outcome, outcome is Outcome.KILLED or "(INJECTED)" in trace.read_text())


def _run_child(action: Callable[[], object]) -> None:
    code = Outcome.CRASHED_PYTHON
    try:
        logging.disable(logging.CRITICAL)
        os.kill(os.getpid(), signal.SIGSTOP)
        action()
        code = Outcome.DONE
    except BentoMLException:
        code = Outcome.REFUSED
    except BaseException:
        Path(f"/proc/self/fd/{sys.__stderr__.fileno()}").write_text(traceback.format_exc())  # type: ignore[union-attr]
    finally:
        os._exit(code.value)
