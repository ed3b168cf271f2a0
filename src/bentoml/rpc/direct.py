"""The client's side of a direct transfer: a bundle's bytes over HTTP/1.1, beside the gRPC connection.

gRPC copies every byte several times and frames it in 16 KiB, which costs more than everything else that
is done with it. Here files go from the page cache into a socket, and from a socket into their place.
What is said about a transfer (who may, where it goes on, that it is done) stays with gRPC.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bentoml.bundle.packing import TarStream
from bentoml.bundle.sending import send_tar
from bentoml.exceptions import BentoMLException
from bentoml.observability.progress import Advance

from .channel import Unreachable
from .status import error_of

BUFFER_BYTES = 1 << 20
_CONNECT_S = 3.0
_SILENT_S = 120.0
_MAX_HEAD_BYTES = 1 << 14
_CONTINUE = 100


class NoDirectWay(BentoMLException):
    """The server cannot be reached this way; nothing was sent, and gRPC may be used instead."""


def put(host: str, direct: Mapping[str, Any], tar: TarStream, offset: int, advance: Advance) -> None:
    """Send an archive from `offset` to its end.

    Raises:
        NoDirectWay: the address does not answer as it should.
        Unreachable: the connection broke after some of it was sent.
        BentoMLException: what the server objects to.
    """
    with _connection(host, direct) as connection:
        head = {"Content-Length": tar.size_bytes - offset, "Upload-Offset": offset, "Expect": "100-continue"}
        status, _, body = _ask(connection, "PUT", host, direct, head)
        if status != _CONTINUE:
            raise _refused(status, body)
        with _breaking_off():
            send_tar(tar, connection, offset, advance)
            status, _, body = _read_answer(connection)
        if status >= 300:
            raise _refused(status, body)


def fetch(host: str, direct: Mapping[str, Any], offset: int, write: Callable[[memoryview], object]) -> None:
    """Receive an archive from `offset` on; `write` gets it in pieces that it may not keep.

    Raises as `put`.
    """
    with _connection(host, direct) as connection:
        status, length, body = _ask(connection, "GET", host, direct, {"Range": f"bytes={offset}-"})
        if status != (206 if offset else 200):
            raise _refused(status, body)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        left = length
        while left:
            with _breaking_off():
                count = connection.recv_into(buffer[: min(left, BUFFER_BYTES)])
                if not count:
                    raise OSError("the connection ended early")
            write(buffer[:count])
            left -= count


@contextlib.contextmanager
def _connection(host: str, direct: Mapping[str, Any]) -> Iterator[socket.socket]:
    try:
        connection = _connect(host, direct["port"])
    except OSError as err:
        raise NoDirectWay(f"{host}:{direct['port']} cannot be reached: {err}") from err
    with connection:
        connection.settimeout(_SILENT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        yield connection


def _connect(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), _CONNECT_S)


def _ask(
    connection: socket.socket, method: str, host: str, direct: Mapping[str, Any], head: Mapping[str, object]
) -> tuple[int, int, bytes]:
    lines = [f"{method} {direct['path']} HTTP/1.1", f"Host: {_bracketed(host)}:{direct['port']}"]
    lines += [f"{key}: {value}" for key, value in head.items()]
    try:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii"))
        return _read_answer(connection)
    except (OSError, ValueError) as err:
        raise NoDirectWay(f"{host}:{direct['port']} does not answer as it should: {err}") from err


def _read_answer(connection: socket.socket) -> tuple[int, int, bytes]:
    """Status, length of the content, and the content of a JSON answer."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):  # byte by byte, because what follows may be a file
        piece = connection.recv(1)
        if not piece or len(head) > _MAX_HEAD_BYTES:
            raise ValueError("no HTTP answer")
        head += piece
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    status, length = int(first.split()[1]), int(fields.get("content-length", "0"))
    body = b""
    while fields.get("content-type") == "application/json" and len(body) < min(length, _MAX_HEAD_BYTES):
        piece = connection.recv(length - len(body))
        if not piece:
            break
        body += piece
    return status, length, body


def _refused(status: int, body: bytes) -> BentoMLException:
    """What the answer says, if it is one of our server."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        said = json.loads(body)
        return error_of(int(said["grpc_code"]), str(said["error"]))
    return NoDirectWay(f"The answer has the status {status}.")


@contextlib.contextmanager
def _breaking_off() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as err:
        if isinstance(err, OSError) and err.filename is not None:
            raise  # a file of this machine, not the connection
        raise Unreachable(f"The direct connection broke off: {err}") from err


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
