"""The directory of one deployment: what is wanted of its keeper, and what the keeper says.

`plan.json` is written by the operator, `status.json` by the keeper, each replaced as a whole. Whoever
holds the lock `keeper.lock` is the keeper; a lock cannot be mistaken for another process as a process
id can, and it is gone with its holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

LOG_NAME = "service.log"


class DeploymentDirectory:
    """Paths and files below one directory, which only this user may read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def log(self) -> Path:
        return self.logs / LOG_NAME

    @property
    def bundles(self) -> Path:
        return self.path / "bundles"

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(exist_ok=True, mode=0o700)
        self.bundles.mkdir(exist_ok=True, mode=0o700)

    def plan(self) -> dict[str, Any]:
        return self._read("plan.json")

    def write_plan(self, plan: dict[str, Any]) -> None:
        self._write("plan.json", plan)

    def status(self) -> dict[str, Any]:
        return self._read("status.json")

    def write_status(self, status: dict[str, Any]) -> None:
        self._write("status.json", status)

    def keeper_pid(self) -> int | None:
        """The process id of the keeper, if there is one."""
        try:
            with (self.path / "keeper.lock").open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    text = file.read().strip()
                    return int(text) if text.isdigit() else 0
        except OSError:
            return None
        return None

    def become_keeper(self) -> int:
        """Take the keeper's lock; the descriptor holds it. Raises `BlockingIOError`."""
        descriptor = os.open(self.path / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    @contextlib.contextmanager
    def changing(self) -> Generator[None, None, None]:
        """One change at a time, also between processes."""
        self.make()
        with (self.path / "change.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.path / name).read_text())
            return found
        except (OSError, ValueError):
            return {}

    def _write(self, name: str, values: dict[str, Any]) -> None:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}", dir=self.path)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(values, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path / name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
