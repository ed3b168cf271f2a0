"""Stopping without losing a request (promise P1).

Order: not ready, go on accepting for `drain_delay_s`, take what the system has already accepted for
us, stop listening, let every connection finish what it sent, close those with nothing left unread.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from time import monotonic

from .connection import Connection, has_unread

LINGER_S = 0.5
POLL_S = 0.01


async def accept_backlog(sockets: Iterable[socket.socket], factory: Callable[[], asyncio.Protocol]) -> int:
    """Take the connections that wait in the accept queue; closing the listener would reset them.

    Returns:
        how many there were. With 0 nothing was awaited, so the listeners can be closed without a gap.
    """
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
    return len(accepted)


async def finish_connections(
    connections: Callable[[], Sequence[Connection]],
    grace_s: float,
    forced: Callable[[], bool],
    each_second: Callable[[], None],
) -> None:
    """Wait until every connection has its answers; close each when it is idle and nothing is unread."""
    start = monotonic()
    seconds = 0
    while connections() and not forced():
        now = monotonic()
        if now - start > seconds + 1:
            seconds += 1
            each_second()
        for connection in connections():
            lingered = now - start > LINGER_S
            if connection.is_idle and lingered and not has_unread(connection.transport):
                connection.transport.close()
        if now - start > grace_s:
            return
        await asyncio.sleep(POLL_S)
