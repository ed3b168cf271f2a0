"""Tickets: secrets in the paths of direct transfers. Who gets one was recognised by gRPC before."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from bentoml.repository.base import BundleRecord
from bentoml.yatai.access import Caller

GOOD_S = 600.0
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Ticket:
    """What its holder may do: go on with one upload, or fetch one bundle."""

    caller: Caller
    upload_id: str = ""
    record: BundleRecord | None = None


class Tickets:
    """The tickets of one server, which last for some minutes; a transfer that has begun goes on.

    Args:
        port: where transfers go; None if there are none.
        prefix: of the paths of the web pages.
    """

    def __init__(self, port: int | None, prefix: str) -> None:
        self._port = port
        self.path = f"{prefix}/transfers/"
        self._issued: OrderedDict[str, tuple[float, Ticket]] = OrderedDict()
        self._lock = threading.Lock()

    def issue(self, ticket: Ticket) -> dict[str, Any] | None:
        """The `DirectTransfer` that a client may use, or None."""
        if self._port is None:
            return None
        secret = secrets.token_urlsafe(24)
        with self._lock:
            self._issued[secret] = (time.monotonic() + GOOD_S, ticket)
            while len(self._issued) > _MOST:
                self._issued.popitem(last=False)
        return {"port": self._port, "path": self.path + secret}

    def find(self, path: str) -> Ticket | None:
        """The ticket whose path that is, if it is still good."""
        if not path.startswith(self.path):
            return None
        with self._lock:
            until, ticket = self._issued.get(path[len(self.path) :], (0.0, None))
        return ticket if time.monotonic() < until else None
