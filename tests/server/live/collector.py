"""A trace collector: takes OTLP protobuf and Zipkin JSON over real HTTP, and keeps what it took."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

OTLP_PATH = "/v1/traces"
ZIPKIN_PATH = "/api/v2/spans"


@dataclass
class SeenSpan:
    """A span as a collector understands it; ids are lower-case hex, times nanoseconds.

    Attributes:
        links: `trace-span` ids.
        resource: what is said about the sender.
    """

    name: str
    trace: str
    id: str
    parent: str
    is_server: bool
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    error: str = ""
    state: str = ""
    links: list[str] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return int(self.attributes.get("http.response.status_code", 0))


class Collector:
    """Listens on a free port of this machine.

    Attributes:
        spans: everything that came, in order.
        headers: of each request.
        status: what is answered.
        held: while it is set, no request is answered.
    """

    def __init__(self, port: int = 0) -> None:
        self.spans: list[SeenSpan] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.held = threading.Event()
        self.asked = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def otlp_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{OTLP_PATH}"

    @property
    def zipkin_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{ZIPKIN_PATH}"

    def close(self) -> None:
        self.held.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.asked += 1
        while self.held.is_set():
            time.sleep(0.02)
        status = self.status
        if status == 200:
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            kind = handler.headers.get("Content-Type")
            if (handler.path, kind) == (OTLP_PATH, "application/x-protobuf"):
                self.spans += from_otlp(body)
            elif (handler.path, kind) == (ZIPKIN_PATH, "application/json"):
                self.spans += from_zipkin(body)
            else:
                status = 404
        with contextlib.suppress(OSError):
            handler.send_response(status)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    def wait_for(
        self, wanted: Callable[[SeenSpan], bool], count: int = 1, within_s: float = 60.0
    ) -> list[SeenSpan]:
        """The spans that are wanted, once there are `count`."""
        end = time.monotonic() + within_s
        while True:
            found = [span for span in list(self.spans) if wanted(span)]
            if len(found) >= count:
                return found
            assert time.monotonic() < end, f"{len(found)} of {count} spans; all: {self.spans}"
            time.sleep(0.02)

    def of_request(self, request_id: str) -> SeenSpan:
        """The span of the answer with this `X-Request-Id`."""
        return self.wait_for(lambda span: span.attributes.get("bentoml.request_id") == request_id)[0]

    def of_batch(self, request: SeenSpan) -> SeenSpan:
        """The span of the batch that a request was in."""
        return self.wait_for(lambda span: span.id == request.attributes["bentoml.batch_span"])[0]


@contextlib.contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    collector = Collector(port)
    try:
        yield collector
    finally:
        collector.close()


def from_otlp(body: bytes) -> list[SeenSpan]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        SeenSpan(
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            is_server=span.kind == Span.SPAN_KIND_SERVER,
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            attributes=_values(span.attributes),
            error=span.status.message if span.status.code == Status.STATUS_CODE_ERROR else "",
            state=span.trace_state,
            links=[f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in span.links],
            resource=_values(resource.resource.attributes),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def from_zipkin(body: bytes) -> list[SeenSpan]:
    return [
        SeenSpan(
            name=span["name"],
            trace=span["traceId"],
            id=span["id"],
            parent=span.get("parentId", ""),
            is_server=span.get("kind") == "SERVER",
            start_ns=span["timestamp"] * 1000,
            end_ns=(span["timestamp"] + span["duration"]) * 1000,
            attributes=span["tags"],
            error=span["tags"].get("error", ""),
            links=span["tags"].get("links", "").split(",") if "links" in span["tags"] else [],
            resource={"service.name": span["localEndpoint"]["serviceName"]},
        )
        for span in json.loads(body)
    ]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
