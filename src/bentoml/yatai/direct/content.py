"""The content of a request in full buffers, aligned so that they can go to a disk without a copy."""

from __future__ import annotations

import mmap
import socket
import struct
import sys
from collections.abc import Iterator

from bentoml.exceptions import OutOfRange

BUFFER_BYTES = 1 << 20
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BrokenOff(Exception):
    """The connection ended. No `OSError`: those of an upload are about the disk."""


def iter_content(
    connection: socket.socket, size_bytes: int, body: bytes, stalled_s: float
) -> Iterator[memoryview | bytes]:
    """Ask for the content, and give it in pieces that are good until the next one is asked for.

    Args:
        body: what came with the head.
        stalled_s: give up when nothing has come for so long.

    Raises:
        BrokenOff: the connection ended, or nothing came any more.
    """
    left = size_bytes - len(body)
    if left < 0:
        raise OutOfRange("There is more content than Content-Length says.")
    if body:
        yield body
    else:
        connection.sendall(_CONTINUE)
    flags = _wait_for_full_buffers(connection, stalled_s)
    buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))
    while left:
        try:
            count = connection.recv_into(buffer, min(left, BUFFER_BYTES), flags)
        except OSError as err:
            raise BrokenOff(str(err)) from err
        if not count:
            raise BrokenOff("the client went away")
        left -= count
        yield buffer[:count]


def _wait_for_full_buffers(connection: socket.socket, stalled_s: float) -> int:
    """Let the kernel collect what comes, for `stalled_s` at most; returns the flags for receiving.

    Python's own timeouts return what is there, which is a wake-up and three changes of the lock of the
    interpreter for every 100 KB.
    """
    if not sys.platform.startswith("linux"):
        return 0
    seconds = int(stalled_s)
    limit = struct.pack("ll", seconds, int((stalled_s - seconds) * 1e6))
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    return socket.MSG_WAITALL
