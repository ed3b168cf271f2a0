"""A bundle's tar stream into a socket: files go from the page cache, without passing through the process."""

from __future__ import annotations

import socket

from bentoml.observability.progress import Advance

from .packing import FilePart, TarStream, became_shorter

_PIECE_BYTES = 8 << 20


def send_tar(tar: TarStream, connection: socket.socket, offset: int, advance: Advance) -> None:
    """Send the stream from `offset` on.

    Args:
        advance: told how many bytes more have gone.

    Raises:
        BundleCorrupted: a file became shorter meanwhile.
        OSError: the connection broke, or took nothing for the time that its timeout gives.
    """
    for part in tar.iter_parts(offset):
        if isinstance(part, bytes):
            connection.sendall(part)
            advance(len(part))
        else:
            _send_file(part, connection, advance)


def _send_file(part: FilePart, connection: socket.socket, advance: Advance) -> None:
    position, end = part.start, part.start + part.size_bytes
    with part.path.open("rb", buffering=0) as file:
        while position < end:
            sent = connection.sendfile(file, position, min(_PIECE_BYTES, end - position))
            if not sent:
                raise became_shorter(part.path)
            position += sent
            advance(sent)
