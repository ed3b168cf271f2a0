"""The two ends of an inner channel, and how the far end gets it.

On POSIX the channel is one half of a socket pair handed to the child by file descriptor: it has no
name, so nobody else can open it. Where descriptors cannot be handed over (Windows), the child
connects to a loopback port that is open for one connection and shows a secret first.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import threading
from collections.abc import Callable

from .frames import LENGTH, MAX_FRAME_BYTES, FrameError

BUFFER_BYTES = 1 << 20
IOV_MAX = 1000
SECRET_BYTES = 32


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """`size` bytes, or `EOFError` when the other end is gone."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    got = 0
    while got < size:
        count = sock.recv_into(view[got:])
        if not count:
            raise EOFError
        got += count
    return bytes(buffer)


class BlockingChannel:
    """A worker's end: whole frames in, whole frames out; sending is safe from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._buffer = b""
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)

    def receive(self) -> bytes:
        """The next frame without its length field. Raises `EOFError` when the front is gone."""
        buffer = self._buffer or self._sock.recv(1 << 18)
        while len(buffer) < LENGTH.size:
            buffer += self._more()
        (size,) = LENGTH.unpack_from(buffer)
        if size > MAX_FRAME_BYTES:
            raise FrameError(f"a frame of {size} bytes is over the limit of {MAX_FRAME_BYTES}")
        end = LENGTH.size + size
        if len(buffer) < end:
            buffer += read_exactly(self._sock, end - len(buffer))
        self._buffer = buffer[end:]
        return buffer[LENGTH.size : end]

    def _more(self) -> bytes:
        data = self._sock.recv(1 << 18)
        if not data:
            raise EOFError
        return data

    def send(self, parts: list[bytes]) -> None:
        with self._lock:
            self._sock.sendall(b"".join(parts))


class Assembler:
    """Turns the chunks an event loop reads into whole frames, joining each frame once."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self._deliver = deliver
        self._chunks: list[bytes] = []
        self._have = 0
        self._need = LENGTH.size

    def feed(self, data: bytes) -> None:
        """Add a chunk; `deliver` is called for each frame it completes (without its length field)."""
        if self._chunks:
            self._chunks.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._chunks)
            self._chunks = []
        at = 0
        size = len(data)
        while size - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data, at)
            if length > MAX_FRAME_BYTES:
                raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
            end = at + LENGTH.size + length
            if end > size:
                break
            self._deliver(data[at + LENGTH.size : end])
            at = end
        if at < size:
            rest = data[at:] if at else data
            self._chunks = [rest]
            self._have = len(rest)
            self._need = (
                LENGTH.size + LENGTH.unpack_from(rest)[0] if len(rest) >= LENGTH.size else LENGTH.size
            )


class LoopbackListener:
    """One connection on a loopback port, for platforms without descriptor passing."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(SECRET_BYTES)
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=8)

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    def accept(self, timeout_s: float) -> socket.socket:
        """The first connection that shows the secret. Raises `TimeoutError`."""
        self._sock.settimeout(timeout_s)
        try:
            while True:
                peer, _ = self._sock.accept()
                peer.settimeout(timeout_s)
                try:
                    if hmac.compare_digest(read_exactly(peer, SECRET_BYTES), self.secret):
                        peer.settimeout(None)
                        return peer
                except (EOFError, OSError):
                    pass
                peer.close()
        finally:
            self._sock.close()


def connect_loopback(port: int, secret: bytes) -> socket.socket:
    """The worker's side of `LoopbackListener`."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(secret)
    return sock
