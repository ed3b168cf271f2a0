"""Finds out whether a client that closed its side still waits for its answer.

A closed connection and one that is closed for sending only look the same until something is written: the
system of a client that is gone answers that with a reset. So it is sent an interim response, which a
client that still reads has to skip (RFC 9110, 15.2), and then watched. Without that a model goes on
working for clients that gave up long ago, and they come back to a queue full of their own past.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sized

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FIRST_LOOK_S = 0.01
LONGEST_PAUSE_S = 2.0


def watch(transport: asyncio.Transport, due: Sized, loop: asyncio.AbstractEventLoop) -> None:
    """End a connection as soon as its client turns out to be gone.

    Args:
        transport: of a client that speaks HTTP/1.1, between two answers.
        due: what it has not been answered; watching ends with it.
    """
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    transport.write(CONTINUE)

    def look(pause_s: float) -> None:
        if not due or transport.is_closing():
            return
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            transport.abort()
        else:
            loop.call_later(pause_s, look, min(LONGEST_PAUSE_S, 2 * pause_s))

    loop.call_later(FIRST_LOOK_S, look, FIRST_LOOK_S)
