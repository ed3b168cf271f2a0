"""The operator `local`: services are processes of the machine that runs the management server."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from bentoml.deploy import probe
from bentoml.deploy.base import (
    CRASH_LOOP,
    ERROR,
    PENDING,
    RUNNING,
    Counters,
    Data,
    Observed,
    Plan,
    Wanted,
)
from bentoml.deploy.config import OperatorConfig, check_config
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

_STATES = {"RUNNING": RUNNING, "CRASH_LOOP": CRASH_LOOP, "FAILED": ERROR}
KEEPER = "bentoml.deploy.local.keeper"
_EXTRA_S = 25.0
_AGAIN_S = 0.3


class LocalConfig(OperatorConfig):
    """Options of the operator `local`."""

    grace_s: float = Field(30.0, ge=0, le=3600)
    isolated: bool = False
    log_bytes: int = Field(10 << 20, ge=4096)
    log_files: int = Field(5, ge=0, le=100)
    restart_pause_s: float = Field(1.0, gt=0, le=3600)
    longest_pause_s: float = Field(60.0, gt=0, le=86400)
    steady_s: float = Field(60.0, gt=0, le=86400)


class LocalOperator:
    """Deployments below one directory of this machine."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def plan(self, wanted: Wanted, data: Data) -> Plan:
        self._check(wanted)
        return changes_to(self._directory(wanted).plan(), wanted, f"start {wanted.tag}")

    def apply(self, wanted: Wanted, data: Data, *, restart: bool = False) -> Data:
        config = self._check(wanted)
        directory = self._directory(wanted)
        with directory.changing():
            before = directory.plan()
            same = before.get("wanted") == wanted_values(wanted) and not restart
            if same and directory.keeper_pid() is not None:
                return plan_data(before)
            with choosing_port(self._host.directory):
                plan = before if same else self._next_plan(wanted, config, directory, before)
                if not before:
                    require_free(plan["host"], plan["port"])
                    directory.write_plan(plan)
            if before and (before["host"], before["port"]) != (plan["host"], plan["port"]):
                self._end_keeper(directory)  # another address: nothing can be handed over
                require_free(plan["host"], plan["port"])
            directory.write_plan(plan)
            self._ensure_keeper(directory)
            serving = (directory.status().get("serving") or {}).get("tag")
            remove_other_bundles(directory, {plan["tag"], str(serving)})
        return plan_data(plan)

    def describe(self, wanted: Wanted, data: Data) -> Observed:
        directory = self._directory(wanted)
        plan, status = directory.plan(), directory.status()
        if not plan:
            return Observed(ERROR, "Nothing of it is on this machine.", drift=("it is not there",))
        info = self._info(plan, status)
        if directory.keeper_pid() is None:
            if status.get("state") == "FAILED":
                return Observed(ERROR, status.get("error", ""), info, ("it does not run",))
            return Observed(PENDING, "Nobody keeps it running at the moment.", info, ("it does not run",))
        drift = _drift(wanted, plan, status)
        state = _STATES.get(str(status.get("state")), PENDING)
        error = status.get("error", "")
        if state == RUNNING:
            reason = self._not_ready(plan)
            if reason:
                state, error = PENDING, f"It runs but is not ready: {reason}"
        return Observed(state, error, info, drift)

    def resume(self, wanted: Wanted, data: Data) -> Data:
        start.reap()
        directory = self._directory(wanted)
        plan = directory.plan()
        if not plan:
            return self.apply(wanted, data)
        if directory.keeper_pid() is None:
            with directory.changing():
                self._ensure_keeper(directory)
        return plan_data(plan)

    def logs(self, wanted: Wanted, data: Data, lines: int) -> Sequence[str]:
        return tail(self._directory(wanted).log, lines)

    def metrics(self, wanted: Wanted, data: Data) -> Counters | None:
        directory = self._directory(wanted)
        plan = directory.plan()
        found = probe.counters(reachable(plan["host"]), plan["port"]) if plan else None
        serving = directory.status().get("serving")
        return with_usage(found, serving["pid"]) if found and serving else found

    def delete(self, wanted: Wanted, data: Data) -> None:
        directory = self._directory(wanted)
        if not directory.path.exists():
            return
        with directory.changing():
            self._end_keeper(directory)
            shutil.rmtree(directory.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            directory.path.parent.rmdir()

    def suspend(self, wanted: Wanted, data: Data) -> None:
        directory = self._directory(wanted)
        if directory.path.exists():
            with directory.changing():
                self._end_keeper(directory)

    def _check(self, wanted: Wanted) -> LocalConfig:
        config: LocalConfig = check_config(LocalConfig, "local", wanted.config)
        return config

    def _directory(self, wanted: Wanted) -> DeploymentDirectory:
        return directory_of(self._host.directory, wanted)

    def _next_plan(
        self, wanted: Wanted, config: LocalConfig, directory: DeploymentDirectory, before: dict[str, Any]
    ) -> dict[str, Any]:
        revision = int(before.get("revision", 0)) + 1
        port = next_port(config, before, self._host.directory, self._host.ports)
        variables = {
            "BENTOML_LOG_DIRECTORY": str(directory.logs),
            "PYTHONUNBUFFERED": "1",
            **config.environment,
        }
        return {
            "revision": revision,
            "tag": wanted.tag,
            "wanted": wanted_values(wanted),
            "bundle": str(copy_bundle(wanted, directory)),
            "host": config.host,
            "port": port,
            "arguments": [*config.serve_arguments(), *(["--env=isolated"] if config.isolated else [])],
            "environment": variables,
            "grace_s": config.grace_s,
            "log_bytes": config.log_bytes,
            "log_files": config.log_files,
            "first_pause_s": config.restart_pause_s,
            "longest_pause_s": config.longest_pause_s,
            "steady_s": config.steady_s,
        }

    def _ensure_keeper(self, directory: DeploymentDirectory) -> None:
        if directory.keeper_pid() is None:
            directory.write_status({"state": "STARTING"})
        start.ensure_keeper(directory, KEEPER)

    def _end_keeper(self, directory: DeploymentDirectory) -> None:
        end_keeper(directory, float(directory.plan().get("grace_s", 30.0)) + _EXTRA_S)

    def _not_ready(self, plan: dict[str, Any]) -> str:
        """Asked twice, because a predecessor that is about to end may have answered."""
        host = reachable(plan["host"])
        if not probe.not_ready(host, plan["port"]):
            return ""
        time.sleep(_AGAIN_S)
        return probe.not_ready(host, plan["port"])

    def _info(self, plan: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
        serving = status.get("serving") or {}
        info: dict[str, Any] = {
            "endpoints": [endpoint(plan)],
            "revision": plan["revision"],
            "serving": serving.get("tag"),
            "serving_revision": serving.get("revision"),
            "process": serving.get("pid"),
            "restarts": status.get("restarts", 0),
            "last_exit": status.get("last_exit"),
            "running_since": moment(serving.get("since")),
        }
        return {key: value for key, value in info.items() if value is not None}


def _drift(wanted: Wanted, plan: dict[str, Any], status: dict[str, Any]) -> tuple[str, ...]:
    found = revision_drift(wanted, plan, status)
    if not Path(plan["bundle"]).is_dir():
        found.append("the files of its bundle are gone from this machine")
    return tuple(found)
