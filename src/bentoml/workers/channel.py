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
from collections.abc import Callable, Iterator, Sequence

from .frames import LENGTH, MAX_FRAME_BYTES, Frame, FrameError

BUFFER_BYTES = 1 << 20
IOV_MAX = 1000
SECRET_BYTES = 32
SPLIT_FROM_BYTES = 1 << 16


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
            self._buffer = b""
            return buffer[LENGTH.size :] + read_exactly(self._sock, end - len(buffer))
        self._buffer = buffer[end:]
        return buffer[LENGTH.size : end]

    def _more(self) -> bytes:
        data = self._sock.recv(1 << 18)
        if not data:
            raise EOFError
        return data

    def send(self, parts: Sequence[Frame]) -> None:
        if max(map(len, parts)) < SPLIT_FROM_BYTES:
            with self._lock:
                self._sock.sendall(b"".join(parts))
            return
        with self._lock:  # a large body is not copied once more only to be in one piece with its head
            for piece in _pieces(parts):
                self._sock.sendall(piece)


def _pieces(parts: Sequence[Frame]) -> Iterator[Frame]:
    """Small parts joined, large ones as they are."""
    small: list[Frame] = []
    for part in parts:
        if len(part) < SPLIT_FROM_BYTES:
            small.append(part)
            continue
        if small:
            yield b"".join(small)
            small = []
        yield part
    if small:
        yield b"".join(small)


class Assembler:
    """Turns the chunks an event loop reads into whole frames, joining each frame once.

    Large frames are delivered as a `memoryview`.
    """

    def __init__(self, deliver: Callable[[Frame], None]) -> None:
        self._deliver = deliver
        self._chunks: list[bytes] = []
        self._have = 0
        self._need = LENGTH.size
        self._large: bytearray | None = None  # a large frame, filled as its bytes arrive

    def feed(self, data: bytes) -> None:
        """Add a chunk; `deliver` is called for each frame it completes (without its length field)."""
        if self._large is not None:
            data = self._fill(self._large, data)
            if not data:
                return
        elif self._chunks:
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
            self._begin(data[at:] if at else data)

    def _begin(self, rest: bytes) -> None:
        """Keep the beginning of a frame."""
        length = LENGTH.unpack_from(rest)[0] if len(rest) >= LENGTH.size else 0
        if length >= SPLIT_FROM_BYTES:
            self._large = bytearray(length)
            self._have = 0
            self._fill(self._large, rest[LENGTH.size :])
            return
        self._chunks = [rest]
        self._have = len(rest)
        self._need = LENGTH.size + length

    def _fill(self, large: bytearray, data: bytes) -> bytes:
        """Add to the large frame. Returns what belongs to the next one."""
        missing = len(large) - self._have
        part, rest = (data, b"") if len(data) <= missing else (data[:missing], data[missing:])
        large[self._have : self._have + len(part)] = part
        self._have += len(part)
        if self._have == len(large):
            self._large = None
            self._deliver(memoryview(large))
        return rest


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
