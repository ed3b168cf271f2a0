"""The command line of a container engine: each question and order is one short process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bentoml.exceptions import BentoMLException, MissingDependencyException

ASK_WITHIN_S = 60.0
PULL_WITHIN_S = 3600.0
OWNER = "bentoml.deployment"
REVISION = "bentoml.revision"
_MISSING = ("no such", "not found", "does not exist", "not known", "no container with name")


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine describes it.

    Attributes:
        state: `running`, `exited`, `created`, `restarting`, `paused`, ….
        restarts: how often the engine started it again by itself.
    """

    name: str
    identity: str
    state: str
    process: int
    exit_code: int
    restarts: int
    started_at: float | None
    error: str
    labels: dict[str, str]


class EngineFailed(BentoMLException):
    """The engine refused, with what it said last."""


class ContainerEngine:
    """Docker or Podman, which take the same words for what is needed here."""

    def __init__(self, name: str) -> None:
        self.name = name

    def require(self) -> None:
        """Raises `MissingDependencyException` if the engine is not installed."""
        if shutil.which(self.name) is None:
            raise MissingDependencyException(
                f"'{self.name}' is not installed on the machine that runs deployments. "
                "Install it there, or use the operator 'local'."
            )

    def run(self, *words: str, within_s: float = ASK_WITHIN_S) -> str:
        """What the engine prints. Raises `EngineFailed`, `MissingDependencyException`."""
        self.require()
        try:
            done = subprocess.run(
                [self.name, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=within_s,
                check=False,
            )
        except subprocess.TimeoutExpired as err:
            raise EngineFailed(f"`{self.name} {words[0]}` did not end within {within_s:g} s.") from err
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise EngineFailed(f"`{self.name} {words[0]}` failed: {(said or ['it said nothing'])[-1][:500]}")
        return done.stdout

    def _order(self, *words: str, within_s: float = ASK_WITHIN_S) -> None:
        """Change a container, to the end of it: SIGTERM waits."""
        with _undisturbed():
            self.run(*words, within_s=within_s)

    def inspect(self, name: str) -> Container | None:
        """The container of that name, or None. Raises `EngineFailed` if the engine does not answer."""
        try:
            [found] = json.loads(self.run("container", "inspect", name))
        except EngineFailed as err:
            if any(part in str(err).lower() for part in _MISSING):
                return None
            raise
        return _container(found)

    def owned(self, owner: str) -> list[str]:
        """Names of all containers with that owner, running or not."""
        words = ("ps", "--all", "--filter", f"label={OWNER}={owner}", "--format", "{{.Names}}")
        return self.run(*words).split()

    def image_label(self, reference: str, label: str) -> str | None:
        """A label of an image, "" if it has none; None if there is no such image."""
        try:
            [found] = json.loads(self.run("image", "inspect", reference))
        except EngineFailed as err:
            if any(part in str(err).lower() for part in _MISSING):
                return None
            raise
        labels = (found.get("Config") or {}).get("Labels") or found.get("Labels") or {}
        return str(labels.get(label, ""))

    def pull(self, reference: str) -> None:
        self.run("pull", reference, within_s=PULL_WITHIN_S)

    def remove_image(self, reference: str) -> None:
        """Remove an image that nothing uses. Raises `EngineFailed`."""
        self.run("image", "rm", reference)

    def create(self, *words: str) -> None:
        self._order("create", *words)

    def start(self, name: str) -> None:
        self._order("start", name)

    def stop(self, name: str, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after the grace period."""
        self._order("stop", f"--time={int(grace_s)}", name, within_s=grace_s + ASK_WITHIN_S)

    def remove(self, name: str) -> None:
        """Remove a container, whatever its state; none is fine."""
        try:
            self._order("rm", "--force", "--volumes", name)
        except EngineFailed as err:
            if not any(part in str(err).lower() for part in _MISSING):
                raise

    def logs(self, name: str, lines: int) -> list[str]:
        """The last lines of a container; none if it is not there."""
        self.require()
        done = subprocess.run(
            [self.name, "logs", f"--tail={lines}", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ASK_WITHIN_S,
            check=False,
        )
        return done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """SIGTERM ends this process between two orders, not within one.

    An engine that is killed while it makes or removes a network leaves rules behind that send the port of the
    next container to the address of this one.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if came:
            signal.raise_signal(signal.SIGTERM)


def _container(found: dict[str, Any]) -> Container:
    state = found.get("State") or {}
    return Container(
        name=str(found.get("Name", "")).lstrip("/"),
        identity=str(found.get("Id", ""))[:12],
        state=str(state.get("Status", "")).lower(),
        process=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        restarts=int(found.get("RestartCount") or 0),
        started_at=_seconds(str(state.get("StartedAt") or "")),
        error=str(state.get("Error") or ""),
        labels=dict((found.get("Config") or {}).get("Labels") or {}),
    )


def _seconds(text: str) -> float | None:
    """Seconds since 1970 of an engine's time, which has nanoseconds."""
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") or ("Z" if whole[-1:] != "Z" else "")
    try:
        moment = datetime.fromisoformat((whole.rstrip("Z") + zone).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.timestamp() if moment.year > 1 else None


def remote_host() -> str:
    """Where the engine's daemon is, if the environment names another machine; else ""."""
    address = os.environ.get("DOCKER_HOST") or os.environ.get("CONTAINER_HOST") or ""
    return "" if address.startswith(("unix:", "npipe:", "/")) else address
