"""Stopping without losing a request (promise P1).

Order: not ready, go on accepting for `drain_delay_s`, take what the system has already accepted for
us, stop listening, let every connection finish what it sent, close those with nothing left unread.
"""

from __future__ import annotations

import array
import asyncio
import socket
import sys
from collections.abc import Callable, Iterable
from time import monotonic

from .protocol import PredictionProtocol

LINGER_S = 0.7
POLL_S = 0.01


async def accept_backlog(sockets: Iterable[socket.socket], factory: Callable[[], asyncio.Protocol]) -> None:
    """Take the connections that wait in the accept queue; closing the listener would reset them."""
    loop = asyncio.get_running_loop()
    accepted = []
    for listener in sockets:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                break
            accepted.append(peer)
    for peer in accepted:
        peer.setblocking(False)
        await loop.connect_accepted_socket(factory, peer)


async def finish_connections(
    connections: Callable[[], list[PredictionProtocol]], grace_s: float, forced: Callable[[], bool]
) -> None:
    """Wait until every connection has its answers; close each when it is idle and nothing is unread."""
    start = monotonic()
    while connections() and not forced():
        now = monotonic()
        for connection in connections():
            lingered = now - start > LINGER_S
            if connection.is_idle and lingered and not _unread(connection.transport):
                connection.transport.close()
        if now - start > grace_s:
            return
        await asyncio.sleep(POLL_S)


def _unread(transport: asyncio.Transport) -> bool:
    """Whether the system holds bytes of this connection that nobody has read yet."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - POSIX only
    import termios  # noqa: PLC0415

    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    count = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, count)
    except OSError:
        return False
    return count[0] > 0
