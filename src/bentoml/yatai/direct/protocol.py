"""Connections of the web port: one that asks for a transfer leaves the event loop, socket and all."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .transfers import Transfers

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

_MAX_HEAD_BYTES = 1 << 13
_END = b"\r\n\r\n"


class TransferProtocol(HttpToolsProtocol):
    """uvicorn's protocol, except for connections whose first request is one for a transfer."""

    def __init__(
        self,
        transfers: Transfers,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._transfers = transfers
        self._head: bytes | None = b""

    def data_received(self, data: bytes) -> None:
        """Bytes of a connection, or what is there of the head of its first request."""
        if self._head is None:
            super().data_received(data)
            return
        head = self._head + data
        if not self._transfers.are_asked_for(head):
            self._head = None
            super().data_received(head)
        elif _END in head:
            self._head = None
            self._hand_over(head)
        elif len(head) > _MAX_HEAD_BYTES:
            self.transport.abort()
        else:
            self._head = head

    def _hand_over(self, head: bytes) -> None:
        """Give a second name of the socket away; to close the first one does not end the connection."""
        shared = self.transport.get_extra_info("socket")
        try:
            taken = socket.fromfd(shared.fileno(), shared.family, shared.type)
        finally:
            self.transport.abort()
        self._transfers.begin(taken, head)
