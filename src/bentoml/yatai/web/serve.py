"""The web server: uvicorn on a socket that was bound before anything else started."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import uvicorn

from bentoml.exceptions import BentoMLException


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `BentoMLException` that says what to do when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as err:
        reason = os.strerror(err.errno) if err.errno else str(err)
        raise BentoMLException(
            f"The web address {host}:{port} cannot be used: {reason}. Stop the program that has "
            "the port, choose another with --ui-port, or leave the pages out with --no-ui."
        ) from err


def make_server(app: Any, certificate: Path | None, key: Path | None, protocol: Any = None) -> uvicorn.Server:
    """A server that is run with the socket; it handles SIGINT and SIGTERM.

    Args:
        protocol: makes the protocol of a connection, instead of uvicorn's own.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=protocol or "auto",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=10,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )
