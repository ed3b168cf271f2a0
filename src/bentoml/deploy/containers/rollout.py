"""Brings about one revision of a plan, in a process of its own: image, new container, old one drained.

A container holds its port, so the old one stops before the new one starts. If the new one does not become
ready, it is removed and the old one started again.

    python -m bentoml.deploy.containers.rollout DIRECTORY
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from bentoml.bundle.manifest import read_manifest
from bentoml.containers.build import containerize
from bentoml.deploy import probe
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.deploy.machine.log_file import RotatingLog
from bentoml.deploy.machine.plans import reachable
from bentoml.deploy.machine.ports import is_free
from bentoml.exceptions import BentoMLException

from .config import create_words, variables_text
from .engine import ContainerEngine

BUILDING, STARTING, RUNNING, FAILED = "BUILDING", "STARTING", "RUNNING", "FAILED"
DIGEST_LABEL = "org.opencontainers.image.revision"
POLL_S = 0.3
PORT_WITHIN_S = 10.0
GONE = ("exited", "dead", "stopped", "removing")
Plan = dict[str, Any]


class NotStarted(BentoMLException):
    """A revision does not come up; nothing of it is left."""


class Rollout:
    """Works until what serves is what is wanted, or cannot be had."""

    def __init__(self, directory: DeploymentDirectory) -> None:
        self._directory = directory
        plan = directory.plan()
        self._engine = ContainerEngine(plan["engine"])
        self._log = RotatingLog(directory.log, plan["log_bytes"], plan["log_files"])
        self._status = {"restarts": 0, **directory.status()}

    def run(self, lock: int) -> None:
        """Work on the newest plan; the lock is given up while nobody can change it."""
        while True:
            plan = self._directory.plan()
            self._bring_about(plan)
            with self._directory.changing():
                if self._directory.plan() == plan:
                    os.close(lock)
                    return

    def _bring_about(self, plan: Plan) -> None:
        serving: Plan | None = self._status.get("serving")
        if serving and plan["revision"] in (serving["revision"], self._status.get("failed_revision")):
            self._start_again(serving)
            return
        try:
            self._replace(serving, plan)
        except BentoMLException as err:
            self._failed(serving, plan, str(err))
        except Exception as err:  # seen by users, instead of being tried again and again
            self._failed(serving, plan, f"{type(err).__name__}: {err}")

    def _replace(self, serving: Plan | None, plan: Plan) -> None:
        self._note(state=BUILDING, error="")
        self._ensure_image(plan)
        self._note(state=STARTING)
        self._create(plan)
        if serving:
            self._say(f"draining revision {serving['revision']}")
            self._engine.stop(serving["container"], serving["grace_s"] + 10)
        try:
            self._until_port_is_free(plan)
            self._engine.start(plan["container"])
            self._until_ready(plan)
        except Exception:
            self._undo(serving, plan)
            raise
        self._say(f"revision {plan['revision']} serves ({plan['container']})")
        self._note(state=RUNNING, error="", failed_revision=None, serving=plan)
        if serving:
            self._engine.remove(serving["container"])

    def _ensure_image(self, plan: Plan) -> None:
        if plan["is_foreign_image"]:
            if self._engine.image_label(plan["image"], DIGEST_LABEL) is None:
                self._say(f"pulling {plan['image']}")
                self._engine.pull(plan["image"])
            return
        bundle = Path(plan["bundle"])
        manifest = read_manifest(bundle)
        built = self._engine.image_label(plan["image"], DIGEST_LABEL)
        if manifest is not None and built == manifest.digest:
            self._say(f"the image {plan['image']} is there already")
            return
        self._say(f"building {plan['image']}")
        containerize(
            bundle,
            tag=plan["image"],
            builder=self._engine.name,
            build_args=plan["build_args"],
            output=lambda line: self._log.write(f"{line}\n".encode()),
        )

    def _create(self, plan: Plan) -> None:
        self._engine.remove(plan["container"])
        self._say(f"creating revision {plan['revision']} ({plan['tag']}, {plan['image']})")
        variables = self._directory.path / "variables"
        descriptor = os.open(variables, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(variables_text(plan))
            self._engine.create(*create_words(plan, plan["owner"], variables))
        finally:
            variables.unlink()

    def _until_port_is_free(self, plan: Plan) -> None:
        """Somebody else's server there would be taken for this one."""
        end = time.monotonic() + PORT_WITHIN_S
        while not is_free(plan["host"], plan["port"]):
            if time.monotonic() > end:
                raise NotStarted(f"another program listens on {plan['host']}:{plan['port']}")
            time.sleep(POLL_S)

    def _until_ready(self, plan: Plan) -> None:
        end = time.monotonic() + plan["start_within_s"]
        while True:
            seen = self._engine.inspect(plan["container"])
            if seen is None or seen.state in GONE or seen.restarts:
                code = seen.exit_code if seen else "unknown"
                raise NotStarted(f"it ended with exit code {code}: {self._last_line(plan)}")
            reason = probe.not_ready(reachable(plan["host"]), plan["port"])
            if not reason:
                return
            if time.monotonic() > end:
                raise NotStarted(f"it was not ready after {plan['start_within_s']:g} s: {reason}")
            time.sleep(POLL_S)

    def _undo(self, serving: Plan | None, plan: Plan) -> None:
        for line in self._engine.logs(plan["container"], 200):
            self._log.write(f"{line}\n".encode())
        with contextlib.suppress(BentoMLException):
            self._engine.remove(plan["container"])
        if serving:
            self._say(f"starting revision {serving['revision']} again")
            self._engine.start(serving["container"])

    def _start_again(self, serving: Plan) -> None:
        """What serves was stopped or removed by somebody, or by a start of the machine."""
        try:
            seen = self._engine.inspect(serving["container"])
            if seen is None:
                self._ensure_image(serving)
                self._create(serving)
            elif seen.state == "running":
                return
            self._say(f"starting revision {serving['revision']} again")
            self._engine.start(serving["container"])
            self._note(state=RUNNING, restarts=self._status["restarts"] + 1)
        except BentoMLException as err:
            self._say(f"it cannot be started: {err}")
            self._note(error=f"revision {serving['revision']} cannot be started again: {err}")

    def _failed(self, serving: Plan | None, plan: Plan, reason: str) -> None:
        message = f"revision {plan['revision']} ({plan['tag']}) could not start: {reason}"
        self._say(message)
        if serving:
            message += f"; revision {serving['revision']} goes on serving"
        state = RUNNING if serving else FAILED
        self._note(state=state, error=message[:2000], failed_revision=plan["revision"])

    def _last_line(self, plan: Plan) -> str:
        return (self._engine.logs(plan["container"], 1) or ["it wrote nothing"])[-1][:500]

    def _note(self, **changes: Any) -> None:
        self._status.update(changes, updated_at=time.time())
        self._directory.write_status(self._status)

    def _say(self, text: str) -> None:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self._log.write(f"[{moment}] rollout: {text}\n".encode())


def main(path: str) -> int:
    directory = DeploymentDirectory(Path(path))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the plan is read again at the end
    signal.signal(signal.SIGTERM, _end)
    try:
        lock = directory.become_keeper()
    except BlockingIOError:
        return 0  # another one is at work, and reads the plan again
    Rollout(directory).run(lock)
    return 0


def _end(*_: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
