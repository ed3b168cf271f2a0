"""Ports for services that name none."""

from __future__ import annotations

import contextlib
import fcntl
import socket
from collections.abc import Collection, Generator
from pathlib import Path

from bentoml.exceptions import FailedPrecondition, InvalidArgument

from .directory import DeploymentDirectory


@contextlib.contextmanager
def choosing_port(directory: Path) -> Generator[None, None, None]:
    """One deployment at a time chooses a port and writes it into its plan."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / ".ports.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def planned_ports(directory: Path) -> set[int]:
    """The ports of all deployments below a directory."""
    plans = (DeploymentDirectory(path.parent).plan() for path in directory.glob("*/*/plan.json"))
    return {int(plan["port"]) for plan in plans if "port" in plan}


def require_free(host: str, port: int) -> None:
    """Raises `InvalidArgument` if no server could listen there now."""
    if not is_free(host, port):
        raise InvalidArgument(
            f"{host}:{port} cannot be used: another program listens there, or the "
            "address is none of this machine. Name another port, or none to get a free one."
        )


def free_port(host: str, ports: tuple[int, int], taken: Collection[int]) -> int:
    """The first port of the range that is neither taken by a deployment nor by a program.

    Raises:
        FailedPrecondition: there is none.
    """
    for port in range(ports[0], ports[1] + 1):
        if port not in taken and is_free(host, port):
            return port
    raise FailedPrecondition(
        f"No port of {ports[0]}-{ports[1]} is free on {host}. Delete a deployment, name a port, or widen "
        "yatai.deployment_ports."
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return True
    return False
