"""Counts and times of RPCs, under the names that the 0.13 server used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from bentoml.rpc.convert import SERVICE, Method
from bentoml.rpc.status import code_name

_LABELS = ("grpc_type", "grpc_service", "grpc_method")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RpcMetrics:
    """The server's own metrics; `text` is what /metrics answers."""

    def __init__(self) -> None:
        self.collectors = CollectorRegistry()
        made: dict[str, Any] = {"namespace": "YATAI", "registry": self.collectors}
        self._started = Counter("grpc_server_started_total", "RPCs that began.", _LABELS, **made)
        self._handled = Counter(
            "grpc_server_handled_total", "RPCs that ended.", (*_LABELS, "grpc_code"), **made
        )
        self._received = Counter("grpc_server_msg_received_total", "Messages received.", _LABELS, **made)
        self._sent = Counter("grpc_server_msg_sent_total", "Messages sent.", _LABELS, **made)
        self._seconds = Histogram("grpc_server_handling_seconds", "Time of RPCs.", _LABELS, **made)

    @contextmanager
    def call(self, method: Method) -> Iterator[CallMetrics]:
        """Measure one RPC."""
        labels = (_kind(method), SERVICE, method.name)
        self._started.labels(*labels).inc()
        begun = time.perf_counter()
        call = CallMetrics()
        try:
            yield call
        finally:
            self._seconds.labels(*labels).observe(time.perf_counter() - begun)
            self._handled.labels(*labels, code_name(call.code)).inc()
            self._received.labels(*labels).inc(call.received)
            self._sent.labels(*labels).inc(call.sent)

    def text(self) -> bytes:
        return generate_latest(self.collectors)


class CallMetrics:
    """What one RPC counts itself."""

    __slots__ = ("code", "received", "sent")

    def __init__(self) -> None:
        self.code = 0
        self.received = 0
        self.sent = 0


def _kind(method: Method) -> str:
    if method.streams_requests:
        return "BIDI_STREAM" if method.streams_responses else "CLIENT_STREAM"
    return "SERVER_STREAM" if method.streams_responses else "UNARY"
