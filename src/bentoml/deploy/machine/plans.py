"""What operators of this machine do alike with a deployment's plan and its directory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bentoml.deploy.base import CREATE, NOTHING, UPDATE, Data, Plan, Wanted
from bentoml.deploy.config import OperatorConfig, differences
from bentoml.exceptions import BentoMLException, InvalidArgument

from .directory import DeploymentDirectory
from .ports import free_port, planned_ports

_POLL_S = 0.05


def directory_of(root: Path, wanted: Wanted) -> DeploymentDirectory:
    """Where a deployment lives. Raises `InvalidArgument` if its name leads elsewhere."""
    path = root / wanted.namespace / wanted.name
    if path.resolve().parent.parent != root.resolve():
        raise InvalidArgument(f"'{wanted.namespace}/{wanted.name}' is no deployment's name.")
    return DeploymentDirectory(path)


def wanted_values(wanted: Wanted) -> dict[str, Any]:
    """What is compared to find out what changed."""
    return {"bento": wanted.tag, **{str(key): value for key, value in wanted.config.items()}}


def changes_to(before: Mapping[str, Any], wanted: Wanted, first_step: str) -> Plan:
    """What applying would do to a deployment whose plan is `before`; empty if there is none."""
    if not before:
        return Plan(CREATE, (first_step,))
    changes = differences(before["wanted"], wanted_values(wanted))
    return Plan(UPDATE if changes else NOTHING, changes)


def next_port(config: OperatorConfig, before: Mapping[str, Any], root: Path, ports: tuple[int, int]) -> int:
    """The port that is asked for, else the one it has on this address, else a free one."""
    kept: int | None = before.get("port") if before.get("host") == config.host else None
    return config.port or kept or free_port(config.host, ports, planned_ports(root))


def revision_drift(wanted: Wanted, plan: Mapping[str, Any], status: Mapping[str, Any]) -> list[str]:
    """What differs between what is wanted, what was planned and what serves."""
    found = [f"{change} is not applied" for change in differences(plan["wanted"], wanted_values(wanted))]
    serving = status.get("serving")
    if not serving:
        found.append("nothing serves")
    elif serving["revision"] != plan["revision"]:
        found.append(
            f"revision {serving['revision']} ({serving['tag']}) serves, {plan['revision']} is wanted"
        )
    return found


def plan_data(plan: dict[str, Any]) -> Data:
    """What the registry keeps of a plan."""
    return {"port": plan["port"], "revision": plan["revision"]}


def reachable(host: str) -> str:
    """An address at which a program of this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def endpoint(plan: dict[str, Any]) -> str:
    """The URL of the service."""
    host = reachable(plan["host"])
    return f"http://{f'[{host}]' if ':' in host else host}:{plan['port']}"


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as users read it."""
    return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def end_keeper(directory: DeploymentDirectory, within_s: float) -> None:
    """SIGTERM to the process that holds the directory's lock, and wait for its end.

    Raises:
        BentoMLException: it is there after `within_s` seconds.
    """
    end = time.monotonic() + within_s
    told: int | None = None
    while (pid := directory.keeper_pid()) is not None:
        if pid and pid != told:  # 0: it has only just begun
            told = pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if time.monotonic() > end:
            raise BentoMLException(f"The keeper (process {pid}) of {directory.path.name} does not end.")
        time.sleep(_POLL_S)
