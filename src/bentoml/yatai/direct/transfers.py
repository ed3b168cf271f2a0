"""Direct transfers in threads: from a socket into an upload's files, from a bundle's files into a socket."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time

from bentoml.bundle.packing import TarStream
from bentoml.bundle.sending import send_tar
from bentoml.exceptions import BentoMLException, FailedPrecondition, NotFound, OutOfRange, Overloaded
from bentoml.rpc.convert import Method
from bentoml.yatai.access import READ
from bentoml.yatai.api.metrics import RpcMetrics
from bentoml.yatai.api.presenting import Presenter
from bentoml.yatai.services.bundles import Bundles
from bentoml.yatai.services.uploads import Uploads

from .content import BUFFER_BYTES, BrokenOff, iter_content
from .http import Head, answer, error_answer, parse_head
from .tickets import Ticket, Tickets

logger = logging.getLogger("bentoml.yatai")

_DRAIN_S = 2.0
_PUT = Method("DirectPut", "", "", streams_requests=True, streams_responses=False)
_GET = Method("DirectGet", "", "", streams_requests=False, streams_responses=True)


class Transfers:
    """Transfers that run, each in a thread of its own.

    Args:
        limit: how many there may be at a time.
        stalled_s: one on which nothing moves for so long is given up; what has arrived stays.
    """

    def __init__(
        self,
        uploads: Uploads,
        bundles: Bundles,
        tickets: Tickets,
        metrics: RpcMetrics,
        present: Presenter,
        *,
        limit: int,
        stalled_s: float,
    ) -> None:
        self._uploads = uploads
        self._bundles = bundles
        self._tickets = tickets
        self._metrics = metrics
        self._present = present
        self._limit = limit
        self._stalled_s = stalled_s
        self._running: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._prefixes = tuple(f"{method} {tickets.path}".encode() for method in ("PUT", "GET"))

    def are_asked_for(self, data: bytes) -> bool:
        """Whether a connection that begins so is one for a transfer."""
        return data.startswith(self._prefixes)

    def begin(self, connection: socket.socket, data: bytes) -> None:
        """Answer on a connection that has sent `data`; it is closed at the end."""
        thread = threading.Thread(
            target=self._serve, args=(connection, data), name="yatai-transfer", daemon=True
        )
        with self._lock:
            self._running[thread] = connection
        thread.start()

    def stop(self, grace_s: float) -> None:
        """Let running ones end within `grace_s`, then end them."""
        end = time.monotonic() + grace_s
        for thread in list(self._running):
            thread.join(max(0.0, end - time.monotonic()))
        with self._lock:
            left = dict(self._running)
        for thread, connection in left.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(self._stalled_s)

    def _serve(self, connection: socket.socket, data: bytes) -> None:
        try:
            with connection:
                connection.settimeout(self._stalled_s)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._answer(connection, data)
        except OSError as err:
            logger.debug("A direct transfer broke off: %s", err)  # nobody was left to be told of an error
        finally:
            with self._lock:
                del self._running[threading.current_thread()]

    def _answer(self, connection: socket.socket, data: bytes) -> None:
        head, body = parse_head(data)
        method = _PUT if head.method == "PUT" else _GET
        with self._metrics.call(method) as call:
            try:
                ticket = self._claim(head)
                if ticket.record is None:
                    self._receive(connection, ticket, head, body)
                else:
                    self._send(connection, ticket, head)
            except (OSError, BrokenOff) as err:
                call.code = 1
                logger.debug("%s broke off: %s", method.name, err)
            except Exception as err:
                error = self._present(method.name, err)
                call.code = error.grpc_code
                connection.sendall(error_answer(error))
                _drain(connection)

    def _claim(self, head: Head) -> Ticket:
        if len(self._running) > self._limit:
            raise Overloaded("The server is busy with as many transfers as it may be.")
        ticket = self._tickets.find(head.path)
        if ticket is None or (head.method == "PUT") != (ticket.record is None):
            raise NotFound("There is no such transfer, or its time is over; ask for it again.")
        return ticket

    def _receive(self, connection: socket.socket, ticket: Ticket, head: Head, body: bytes) -> None:
        offset, size = head.number("upload-offset"), head.number("content-length")
        chunks = iter_content(connection, size, body, self._stalled_s)
        progress = self._uploads.receive(ticket.caller, ticket.upload_id, offset, chunks)
        if progress.received_bytes < offset + size:
            raise FailedPrecondition(f"{progress.received_bytes} bytes are here.")
        connection.sendall(answer(204, {"Upload-Offset": progress.received_bytes}))

    def _send(self, connection: socket.socket, ticket: Ticket, head: Head) -> None:
        ticket.caller.require(READ)
        assert ticket.record is not None
        with self._bundles.directory(ticket.record) as path:
            tar, offset = TarStream(path), head.range_start()
            if not 0 <= offset <= tar.size_bytes:
                raise OutOfRange(f"The archive has {tar.size_bytes} bytes; it cannot go on at {offset}.")
            fields = {"Content-Type": "application/x-tar", "Content-Length": tar.size_bytes - offset}
            if offset:
                fields["Content-Range"] = f"bytes {offset}-{tar.size_bytes - 1}/{tar.size_bytes}"
            connection.sendall(answer(206 if offset else 200, fields))
            try:
                send_tar(tar, connection, offset, lambda _more: None)
            except (BentoMLException, FileNotFoundError) as err:
                raise BrokenOff(str(err)) from err  # too late for an error in the answer


def _drain(connection: socket.socket) -> None:
    """Read what still comes for a moment: closing at once would throw the answer away too."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_DRAIN_S)
        end = time.monotonic() + _DRAIN_S
        while connection.recv(BUFFER_BYTES) and time.monotonic() < end:
            pass
