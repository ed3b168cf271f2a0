"""A real server process under test: started, watched, signalled and stopped."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import TypeVar

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 45.0
RUNNING = re.compile(r"Running on http://[^:/]+:(\d+)")
T = TypeVar("T")


def until(probe: Callable[[], T], within_s: float = 20.0, what: str = "what was waited for") -> T:
    """The first true value of `probe`, asked again and again; fails after `within_s` seconds."""
    end = time.monotonic() + within_s
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not happen within {within_s:g} s"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    return state_of(pid) not in ("", "Z", "X")


def state_of(pid: int) -> str:
    """The state letter of a process (`S`, `R`, `Z`, …); empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables of a server that must not meet the settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("BENTOML_")}
    return {
        **kept,
        "BENTOML_HOME": str(folder / "home"),
        "PROBE_LOG": str(folder / "probe.log"),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }


def save_probe(folder: Path) -> Path:
    """Save the probe service in a process of its own; returns the directory of the bundle."""
    source, bundle = folder / "source", folder / "bundle"
    source.mkdir(parents=True)
    bundle.mkdir()
    shutil.copy(Path(__file__).with_name("probe.py"), source)
    command = [sys.executable, "probe.py", str(bundle)]
    subprocess.run(command, cwd=source, env=environment(folder), check=True, capture_output=True, timeout=180)
    return bundle


class ServerProcess:
    """One `bentoml serve`.

    Attributes:
        port: what it chose, known once it runs.
        folder: its home, its log and the probe's log.
    """

    def __init__(
        self,
        bundle: Path,
        folder: Path,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        output: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log_file = folder / "server.log"
        self.port = 0
        command = [*wrapper, sys.executable, "-m", "bentoml", "serve", str(bundle), "--port", "0", *args]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment(folder, {"BENTOML_HOST": "127.0.0.1", **(env or {})}),
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def workers(self) -> list[int]:
        """Process ids of the workers that live."""
        return [pid for pid in children_of(self.pid) if is_running(pid)]

    def executions(self, api: str) -> list[tuple[int, str]]:
        """(pid, item id) of every execution of an API so far, in order."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / "probe.log").read_text().splitlines()
            rows = [line.split() for line in lines]
            return [(int(pid), item) for pid, name, item in rows if name == api]
        return []

    def wait_until_running(self, within_s: float = READY_WITHIN_S) -> None:
        def found() -> re.Match[str] | None:
            code = self.process.poll()
            assert code is None, f"the server ended with {code}:\n{self.log}"
            return RUNNING.search(self.log)

        match = until(found, within_s, "the server's start")
        assert match is not None
        self.port = int(match[1])

    def signal(self, number: int = SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, within_s: float = STOP_WITHIN_S) -> int:
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {within_s:g} s:\n{self.log}") from None

    def stop(self, number: int = SIGTERM) -> int:
        """Signal it and return its exit code."""
        if self.process.poll() is None:
            self.signal(number)
        return self.wait()

    def destroy(self) -> None:
        """End whatever is left, without asking."""
        left = [self.pid, *children_of(self.pid)] if self.process.poll() is None else []
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def starting(
    bundle: Path,
    folder: Path,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
    output: int | None = None,
) -> Iterator[ServerProcess]:
    """A server that was started; it need not come up, and nothing of it is left afterwards.

    `output` is a descriptor for what it prints, instead of its log file.
    """
    server = ServerProcess(bundle, folder, args, env, wrapper, output)
    try:
        yield server
    finally:
        server.destroy()


@contextlib.contextmanager
def serving(
    bundle: Path,
    folder: Path,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
) -> Iterator[ServerProcess]:
    """A server that runs."""
    with starting(bundle, folder, args, env, wrapper) as server:
        server.wait_until_running()
        yield server


def promised(seconds: float) -> float:
    """A promised time, as a test may hold the server to it.

    `BENTOML_TEST_SLACK=1` asks for the promise itself; the default leaves room for machines that do
    ten other things.
    """
    return seconds * float(os.environ.get("BENTOML_TEST_SLACK", "8"))


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port nobody listens on, outside the range from which the system takes ports of clients."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
