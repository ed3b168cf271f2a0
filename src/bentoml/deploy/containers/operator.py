"""The operators `docker` and `podman`: services are containers of the management server's machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from typing import Any

from bentoml.containers.image_names import image_reference
from bentoml.deploy import probe
from bentoml.deploy.base import (
    CRASH_LOOP,
    ERROR,
    INACTIVATED,
    PENDING,
    RUNNING,
    UNKNOWN,
    Counters,
    Data,
    Observed,
    Plan,
    Wanted,
)
from bentoml.deploy.config import check_config
from bentoml.deploy.machine import start
from bentoml.deploy.machine.bundles import copy_bundle, remove_other_bundles
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.deploy.machine.log_file import tail
from bentoml.deploy.machine.plans import (
    changes_to,
    directory_of,
    end_keeper,
    endpoint,
    moment,
    next_port,
    plan_data,
    reachable,
    revision_drift,
    wanted_values,
)
from bentoml.deploy.machine.ports import choosing_port, require_free
from bentoml.deploy.registry import Host
from bentoml.deploy.usage import with_usage
from bentoml.exceptions import BentoMLException

from .config import ContainerConfig, resource_words
from .engine import Container, ContainerEngine, remote_host

ROLLOUT = "bentoml.deploy.containers.rollout"
IMAGES = "bentoml-deployments"
LONGEST_PAUSE_S = 60.0
LOOP_AFTER = 3
_END_WITHIN_S = 60.0
_STEPS = {"BUILDING": "Its image is being built.", "STARTING": "Its container is starting."}


class ContainerOperator:
    """Deployments as containers of one engine."""

    def __init__(self, engine: str, host: Host) -> None:
        self._engine = ContainerEngine(engine)
        self._host = host

    def plan(self, wanted: Wanted, data: Data) -> Plan:
        self._check(wanted)
        return changes_to(
            self._directory(wanted).plan(),
            wanted,
            f"start {wanted.tag} in a container of {self._engine.name}",
        )

    def apply(self, wanted: Wanted, data: Data, *, restart: bool = False) -> Data:
        config = self._check(wanted)
        self._engine.require()
        directory = self._directory(wanted)
        with directory.changing():
            before, status = directory.plan(), directory.status()
            failed = status.get("failed_revision") == before.get("revision")
            same = before.get("wanted") == wanted_values(wanted) and not restart and not failed
            if not same:
                with choosing_port(self._host.directory):
                    plan = self._next_plan(wanted, config, directory, before)
                    if plan["port"] != before.get("port"):
                        require_free(plan["host"], plan["port"])
                    directory.write_plan(plan)
            start.ensure_keeper(directory, ROLLOUT)
            serving = (status.get("serving") or {}).get("tag")
            remove_other_bundles(directory, {wanted.tag, str(serving)})
        return plan_data(directory.plan())

    def describe(self, wanted: Wanted, data: Data) -> Observed:
        directory = self._directory(wanted)
        plan, status = directory.plan(), directory.status()
        if not plan:
            return Observed(ERROR, "Nothing of it is on this machine.", drift=("it is not there",))
        serving = status.get("serving")
        try:
            seen = self._engine.inspect(serving["container"]) if serving else None
        except BentoMLException as err:
            return Observed(UNKNOWN, str(err), _info(plan, status, None))
        info, drift = _info(plan, status, seen), _drift(wanted, plan, status, seen)
        error = str(status.get("error") or "")
        if not serving:
            if status.get("state") == "FAILED":
                return Observed(ERROR, error, info, drift)
            return Observed(PENDING, _STEPS.get(str(status.get("state")), ""), info, drift)
        state, problem = self._state_of(serving, seen, data)
        return Observed(state, problem or error, info, drift)

    def resume(self, wanted: Wanted, data: Data) -> Data:
        start.reap()
        directory = self._directory(wanted)
        plan, status = directory.plan(), directory.status()
        if not plan:
            return self.apply(wanted, data)
        if directory.keeper_pid() is not None:
            return data
        serving = status.get("serving")
        tried = ((serving or {}).get("revision"), status.get("failed_revision"))
        if plan["revision"] not in tried:
            start.ensure_keeper(directory, ROLLOUT)  # its process was killed at work
            return data
        return self._revive(directory, serving, data) if serving else data

    def _revive(self, directory: DeploymentDirectory, serving: dict[str, Any], data: Data) -> Data:
        """Start a container that ended, after pauses that double."""
        seen, plan = self._engine.inspect(serving["container"]), directory.plan()
        if seen is not None and seen.state in ("running", "restarting", "paused"):
            steady = seen.started_at is not None and time.time() - seen.started_at > LONGEST_PAUSE_S
            return plan_data(plan) if steady else data
        if time.time() < float(data.get("next_start_at", 0.0)):
            return data
        failures = int(data.get("failures", 0)) + 1
        start.ensure_keeper(directory, ROLLOUT)
        pause_s = min(LONGEST_PAUSE_S, 2.0**failures)
        return {**plan_data(plan), "failures": failures, "next_start_at": time.time() + pause_s}

    def logs(self, wanted: Wanted, data: Data, lines: int) -> Sequence[str]:
        directory = self._directory(wanted)
        found = tail(directory.log, lines)
        serving = directory.status().get("serving")
        if serving:
            found += self._engine.logs(serving["container"], lines)
        return found[-lines:]

    def metrics(self, wanted: Wanted, data: Data) -> Counters | None:
        serving = self._directory(wanted).status().get("serving")
        if not serving:
            return None
        found = probe.counters(reachable(serving["host"]), serving["port"])
        if not found or remote_host():
            return found
        seen = self._engine.inspect(serving["container"])
        return with_usage(found, seen.process, seen.started_at) if seen and seen.process else found

    def delete(self, wanted: Wanted, data: Data) -> None:
        directory = self._directory(wanted)
        if not directory.path.exists():
            return
        with directory.changing():
            _end_keeper(directory)
            plan = directory.plan()
            self._end_containers(plan)
            if plan and not plan["is_foreign_image"]:
                with contextlib.suppress(BentoMLException):  # another deployment may use it
                    self._engine.remove_image(plan["image"])
            shutil.rmtree(directory.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            directory.path.parent.rmdir()

    def suspend(self, wanted: Wanted, data: Data) -> None:
        directory = self._directory(wanted)
        serving = directory.status().get("serving")
        if not directory.path.exists():
            return
        with directory.changing():
            _end_keeper(directory)
            if serving:
                self._engine.stop(serving["container"], serving["grace_s"] + 10)

    def _end_containers(self, plan: dict[str, Any]) -> None:
        for name in self._engine.owned(plan["owner"]) if plan else ():
            self._engine.stop(name, plan["grace_s"] + 10)
            self._engine.remove(name)

    def _check(self, wanted: Wanted) -> ContainerConfig:
        config: ContainerConfig = check_config(ContainerConfig, self._engine.name, wanted.config)
        return config

    def _directory(self, wanted: Wanted) -> DeploymentDirectory:
        return directory_of(self._host.directory, wanted)

    def _next_plan(
        self, wanted: Wanted, config: ContainerConfig, directory: DeploymentDirectory, before: dict[str, Any]
    ) -> dict[str, Any]:
        revision = int(before.get("revision", 0)) + 1
        owner = hashlib.sha256(str(directory.path.resolve()).encode()).hexdigest()[:16]
        image = image_reference(None, wanted.bento_name, wanted.bento_version)
        return {
            "revision": revision,
            "engine": self._engine.name,
            "owner": owner,
            "container": f"bentoml-{wanted.namespace}-{wanted.name}-{owner[:6]}-{revision}",
            "tag": wanted.tag,
            "wanted": wanted_values(wanted),
            "bundle": "" if config.image else str(copy_bundle(wanted, directory)),
            "image": config.image or f"{IMAGES}/{_arguments_part(config.build_args)}{image}",
            "is_foreign_image": config.image is not None,
            "build_args": config.build_args,
            "network": config.network,
            "host": config.host,
            "port": next_port(config, before, self._host.directory, self._host.ports),
            "arguments": [*config.serve_arguments(), f"--grace={config.grace_s:g}"],
            "resources": resource_words(self._engine.name, config),
            "environment": config.environment,
            "grace_s": config.grace_s,
            "start_within_s": config.start_within_s,
            "log_bytes": config.log_bytes,
            "log_files": config.log_files,
        }

    def _state_of(self, serving: dict[str, Any], seen: Container | None, data: Data) -> tuple[str, str]:
        """The state of the container that should serve, and what is wrong with it."""
        if seen is None:
            return PENDING, "Its container is gone; it is made again."
        if seen.state == "paused":
            return INACTIVATED, "Its container is paused."
        loops = seen.restarts >= LOOP_AFTER or int(data.get("failures", 0)) >= LOOP_AFTER
        if seen.state != "running":
            last = (self._engine.logs(serving["container"], 1) or [""])[-1][:500]
            problem = f"Its container ended with exit code {seen.exit_code}: {last or seen.error}"
            return (CRASH_LOOP if loops else PENDING), problem
        reason = probe.not_ready(reachable(serving["host"]), serving["port"])
        if reason:
            return (CRASH_LOOP if loops else PENDING), f"It runs but is not ready: {reason}"
        return RUNNING, ""


class DockerOperator(ContainerOperator):
    """The operator `docker`."""

    def __init__(self, host: Host) -> None:
        super().__init__("docker", host)


class PodmanOperator(ContainerOperator):
    """The operator `podman`."""

    def __init__(self, host: Host) -> None:
        super().__init__("podman", host)


def _end_keeper(directory: DeploymentDirectory) -> None:
    """A rollout that is stopping a container ends when that has had the time for its last answers."""
    plans = (directory.plan(), directory.status().get("serving") or {})
    end_keeper(directory, _END_WITHIN_S + max(float(plan.get("grace_s", 0.0)) for plan in plans))


def _arguments_part(build_args: dict[str, str]) -> str:
    """Images that were built with other arguments have other names."""
    text = json.dumps(sorted(build_args.items())).encode()
    return f"{hashlib.sha256(text).hexdigest()[:12]}/" if build_args else ""


def _info(plan: dict[str, Any], status: dict[str, Any], seen: Container | None) -> dict[str, Any]:
    serving = status.get("serving") or {}
    info: dict[str, Any] = {
        "endpoints": [endpoint(plan)],
        "revision": plan["revision"],
        "serving": serving.get("tag"),
        "serving_revision": serving.get("revision"),
        "image": serving.get("image") or plan["image"],
        "container": serving.get("container"),
        "container_id": seen.identity if seen else None,
        "process": (seen.process or None) if seen else None,
        "restarts": int(status.get("restarts", 0)) + (seen.restarts if seen else 0),
        "running_since": moment(seen.started_at) if seen and seen.state == "running" else None,
    }
    return {key: value for key, value in info.items() if value is not None}


def _drift(
    wanted: Wanted, plan: dict[str, Any], status: dict[str, Any], seen: Container | None
) -> tuple[str, ...]:
    found = revision_drift(wanted, plan, status)
    serving = status.get("serving")
    if not serving:
        return tuple(found)
    if seen is None:
        found.append(f"its container {serving['container']} is not there")
    elif seen.state != "running":
        found.append(f"its container is {seen.state}")
    return tuple(found)
