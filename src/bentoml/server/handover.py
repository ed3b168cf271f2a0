"""Serving on a socket that a supervisor opened, and telling it when we are ready.

The socket lets a supervisor replace the process without a moment in which nobody listens: the new
process accepts connections only when its models are loaded, and then says `READY=1` to the address in
`NOTIFY_SOCKET`, as services of systemd do.
"""

from __future__ import annotations

import contextlib
import os
import socket

from bentoml.exceptions import BentoMLException

NOTIFY_SOCKET = "NOTIFY_SOCKET"


def inherited(descriptor: int) -> socket.socket:
    """The listening socket that this process was given. Raises `BentoMLException`."""
    try:
        sock = socket.socket(fileno=descriptor)
        listens = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError as err:
        raise BentoMLException(
            f"--fd {descriptor} is no open socket: {os.strerror(err.errno or 0)}. It is for supervisors; "
            "use --port to let the server open its own."
        ) from err
    if not listens:
        raise BentoMLException(f"--fd {descriptor} is a socket that does not listen.")
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


def notify_ready() -> None:
    """Tell the supervisor, if there is one that wants to know."""
    address = os.environ.get(NOTIFY_SOCKET)
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract address of Linux
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(f"READY=1\nMAINPID={os.getpid()}\n".encode(), address)
