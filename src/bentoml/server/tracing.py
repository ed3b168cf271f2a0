"""Spans of requests and batches.

A request that is traced differs from others in two places: its sink is a `TracedSink`, which makes
the span when the answer comes, whoever gives it; and its head names the span, so that service code can
continue the trace and the prediction log shows it. Nothing else on the way knows about tracing.
"""

from __future__ import annotations

import logging
from random import random
from time import monotonic, time_ns

from bentoml.batching.link import Batch
from bentoml.batching.queue import Request, Sink
from bentoml.bundle.descriptor import BundleDescriptor
from bentoml.observability.tracing.collector import FORMATS, make_exporter
from bentoml.observability.tracing.propagation import CARRIER, Format, extract, inject
from bentoml.observability.tracing.sender import SpanSender
from bentoml.observability.tracing.spans import (
    AttributeValue,
    Span,
    TraceContext,
    child_context,
    first_context,
)
from bentoml.settings import Settings

from .answers import AnswerHead
from .hub import Route

logger = logging.getLogger("bentoml.tracing")

MOST_LINKS = 128
PLAIN_HEADS = 4096
PLAIN_HEAD_BYTES = 1024
STEPS = ("bentoml.decode_s", "bentoml.call_s", "bentoml.encode_s")
FLUSH_S = 2.0
FIRST_ERROR = 500  # an answer of 4xx is the client's mistake, and no error of this server


class Tracer:
    """Decides which requests are traced, and makes their spans.

    Args:
        sample_rate: share of the requests without a decision of their client that are traced.
        form: header format of the collector's own clients.
    """

    def __init__(self, sender: SpanSender, sample_rate: float, form: Format) -> None:
        self.sender = sender
        self.open = 0  # traced requests without an answer
        self._rate = sample_rate
        self._form: Format = form
        self._plain: set[bytes] = set()

    def enter(self, sink: Sink, route: Route, head: bytes) -> tuple[Sink, bytes]:
        """The sink and the head to make a request with: those given, unless it is to be traced."""
        if head in self._plain:
            if random() >= self._rate:
                return sink, head
            parent = None
        else:
            sampled, parent = self.decide(head)
            if not sampled:
                return sink, head
        context = child_context(parent) if parent is not None else first_context()
        parent_id = parent.span_id if parent is not None else None
        self.open += 1
        return TracedSink(self, sink, route, head, context, parent_id), inject(
            head, context, parent_id, self._form
        )

    def decide(self, head: bytes) -> tuple[bool, TraceContext | None]:
        """Whether to trace a request, and the span above its own."""
        if CARRIER.search(head) is None:
            if len(head) <= PLAIN_HEAD_BYTES:
                if len(self._plain) >= PLAIN_HEADS:
                    self._plain.clear()
                self._plain.add(head)
            return random() < self._rate, None
        incoming = extract(head, self._form)
        if incoming is None:
            return random() < self._rate, None
        return incoming.sampled, incoming.parent

    def left(self, request: Request) -> None:
        """The client of a request is gone before its answer."""
        sink = request.sink
        if isinstance(sink, TracedSink):
            sink.end(request, None)

    def refused(self, route: Route | None, head: bytes, status: int, seconds: int) -> None:
        """Trace, or not, a request that the server stopped reading after about so many seconds."""
        sampled, parent = self.decide(head)
        if sampled:
            attributes: dict[str, AttributeValue] = {}
            if route is not None:
                attributes = {"http.route": f"/{route.queue.route}", "bentoml.bundle": route.bundle}
            self.record(parent, method_of(head), attributes, time_ns() - seconds * 1_000_000_000, status)

    def record(
        self,
        parent: TraceContext | None,
        method: str,
        attributes: dict[str, AttributeValue],
        start_ns: int,
        status: int,
    ) -> None:
        """Make the span of a request that no dispatcher saw: of a page, or refused for its head."""
        route = attributes.get("http.route")
        self.sender.put(
            Span(
                f"{method} {route}" if route else method,
                child_context(parent) if parent is not None else first_context(),
                parent.span_id if parent is not None else None,
                start_ns,
                time_ns(),
                {"http.request.method": method, "http.response.status_code": status, **attributes},
                is_server=True,
                error=str(status) if status >= FIRST_ERROR else "",
            )
        )


class TracedSink:
    """Passes an answer on, and then makes the span of its request."""

    __slots__ = (
        "_ended",
        "_method",
        "_parent_id",
        "_route",
        "_sink",
        "_start_ns",
        "_tracer",
        "batch",
        "context",
    )

    def __init__(
        self,
        tracer: Tracer,
        sink: Sink,
        route: Route,
        head: bytes,
        context: TraceContext,
        parent_id: int | None,
    ) -> None:
        self.context = context
        self.batch: BatchTrace | None = None
        self._tracer = tracer
        self._sink = sink
        self._route = route
        self._method = method_of(head)
        self._parent_id = parent_id
        self._ended = False
        self._start_ns = time_ns()

    def answer(self, request: Request, head: AnswerHead, body: bytes | memoryview) -> None:
        self._sink.answer(request, head, body)
        self.end(request, head.status)

    def end(self, request: Request, status: int | None) -> None:
        """Make the span; `status` None means that the client left, perhaps just after its answer."""
        if self._ended:
            return
        self._ended = True
        route, batch = self._route, self.batch
        path = f"/{route.queue.route}"
        took_s = monotonic() - request.start
        attributes: dict[str, AttributeValue] = {
            "http.request.method": self._method,
            "http.route": path,
            "bentoml.request_id": request.id.decode(),
            "bentoml.api": route.api,
            "bentoml.bundle": route.bundle,
            "bentoml.queue_s": (batch.sent_at if batch is not None else monotonic()) - request.start,
        }
        links: tuple[TraceContext, ...] = ()
        if batch is not None:
            attributes["bentoml.batch_size"] = batch.size
            attributes["bentoml.batch_span"] = batch.context.span_hex
            if batch.parent_id != self.context.span_id:
                links = (batch.context,)
        if request.tries:
            attributes["bentoml.tries"] = request.tries + 1
        if status is not None:
            attributes["http.response.status_code"] = status
        error = "the client left" if status is None else str(status) if status >= FIRST_ERROR else ""
        self._tracer.open -= 1
        self._tracer.sender.put(
            Span(
                f"{self._method} {path}",
                self.context,
                self._parent_id,
                self._start_ns,
                self._start_ns + int(took_s * 1e9),
                attributes,
                is_server=True,
                links=links,
                error=error,
            )
        )


class BatchTrace:
    """A batch with a traced request in it. Its span hangs below the first of them and links to all."""

    __slots__ = ("context", "links", "parent_id", "sent_at", "size", "start_ns")

    def __init__(self, batch: Batch, traced: list[TracedSink]) -> None:
        first = traced[0].context
        self.context = child_context(first)
        self.parent_id = first.span_id
        self.links = tuple(sink.context for sink in traced[:MOST_LINKS])
        self.size = len(batch.requests)
        self.sent_at = batch.sent_at
        self.start_ns = time_ns()


class BatchTracer:
    """Watches the batches of one generation.

    Args:
        bundle: `Name:version` of what it serves.
    """

    def __init__(self, tracer: Tracer, bundle: str) -> None:
        self._tracer = tracer
        self._bundle = bundle
        self._batches: dict[int, BatchTrace] = {}

    def batch_sent(self, batch: Batch) -> None:
        if not self._tracer.open:
            return
        traced = [r.sink for r in batch.requests if isinstance(r.sink, TracedSink)]
        if traced:
            trace = self._batches[batch.id] = BatchTrace(batch, traced)
            for sink in traced:
                sink.batch = trace

    def batch_done(self, batch: Batch, times: tuple[float, float, float], now: float) -> None:
        if self._batches:
            self._end(batch, now, dict(zip(STEPS, times, strict=True)))

    def batch_lost(self, batch: Batch, now: float) -> None:
        if self._batches:
            self._end(batch, now, {}, "the worker died")

    def _end(self, batch: Batch, now: float, steps: dict[str, float], error: str = "") -> None:
        trace = self._batches.pop(batch.id, None)
        if trace is None:
            return
        route = batch.queue.route
        self._tracer.sender.put(
            Span(
                f"batch {route}",
                trace.context,
                trace.parent_id,
                trace.start_ns,
                trace.start_ns + int((now - trace.sent_at) * 1e9),
                {
                    "bentoml.route": f"/{route}",
                    "bentoml.bundle": self._bundle,
                    "bentoml.batch_size": trace.size,
                    **steps,
                },
                links=trace.links,
                error=error,
            )
        )


def make_tracer(settings: Settings, descriptor: BundleDescriptor) -> Tracer | None:
    """The tracer that the settings ask for; None when they name no collector.

    Raises:
        BentoMLException: the collector's address is none, or a package is missing.
    """
    tracing = settings.tracing
    exporter = make_exporter(tracing, descriptor.name, descriptor.version)
    if exporter is None:
        return None
    logger.info("Sending spans to %s; sample rate %g.", exporter.name, tracing.sample_rate)
    return Tracer(SpanSender(exporter), tracing.sample_rate, FORMATS[tracing.type or ""])


def method_of(head: bytes) -> str:
    """The method of a raw head."""
    return head.partition(b"\r\n")[0].decode("latin-1")
