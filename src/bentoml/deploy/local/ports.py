"""Ports for services that name none."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection

from bentoml.exceptions import FailedPrecondition


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
