"""What the tracer does to a request, without a server: nothing, or exactly one span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bentoml.batching.link import Batch
from bentoml.batching.queue import ApiQueue, Request
from bentoml.observability.tracing.sender import SpanSender
from bentoml.observability.tracing.spans import Span
from bentoml.observability.tracing.zipkin import ZipkinExporter
from bentoml.server.answers import AnswerHeads
from bentoml.server.hub import Route
from bentoml.server.tracing import PLAIN_HEADS, BatchTracer, TracedSink, Tracer

HEAD = b"POST\r\nhost: x\r\n"
SENT = b"POST\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nhost: x\r\n"
TIMES = (0.001, 0.01, 0.002)


class Kept(SpanSender):
    """Keeps spans instead of sending them."""

    def __init__(self) -> None:
        super().__init__(ZipkinExporter("http://localhost:9411/api/v2/spans", "S"))
        self.spans: list[Span] = []

    def put(self, span: Span) -> None:
        self.spans.append(span)


class Client:
    """Where answers go in the end."""

    def __init__(self) -> None:
        self.answers: list[int] = []

    def answer(self, request: Request, head: Any, body: bytes | memoryview) -> None:
        self.answers.append(head.status)


def route() -> Route:
    queue = ApiQueue("predict", 0, cap=100, goal_s=1, timeout_s=60, limit=100)
    return Route(queue, None, frozenset([b"POST"]), "predict", "S:1")  # type: ignore[arg-type]


def make(rate: float) -> tuple[Tracer, list[Span]]:
    kept = Kept()
    return Tracer(kept, rate, "w3c"), kept.spans


def enter(tracer: Tracer, at: Route, head: bytes, client: Client) -> Request:
    sink, head = tracer.enter(client, at, head)
    return Request(sink, at.queue, head, b"1", b"0" * 36, 1.0, 61.0)


def batch(number: int, at: Route, requests: list[Request]) -> Batch:
    return Batch(number, at.queue, requests, None, 1.5)  # type: ignore[arg-type]


def test_a_request_that_is_not_traced_is_left_as_it_is() -> None:
    tracer, spans = make(0)
    at, client = route(), Client()
    for _ in range(3):
        sink, head = tracer.enter(client, at, HEAD)
        assert sink is client and head is HEAD
    watched = BatchTracer(tracer, "S:1")
    request = enter(tracer, at, HEAD, client)
    held = batch(1, at, [request])
    watched.batch_sent(held)
    watched.batch_done(held, TIMES, 2.0)
    watched.batch_lost(held, 2.0)
    tracer.left(request)
    assert not spans and not tracer.open


@pytest.mark.parametrize(
    "finish",
    [
        lambda tracer, request, head: request.sink.answer(request, head, b""),
        lambda tracer, request, head: tracer.left(request),
        lambda tracer, request, head: (request.sink.answer(request, head, b""), tracer.left(request)),
        lambda tracer, request, head: (tracer.left(request), tracer.left(request)),
    ],
    ids=["answered", "left", "answered, then left", "left twice"],
)
def test_a_traced_request_gives_one_span(finish: Callable[..., object]) -> None:
    tracer, spans = make(0)
    request = enter(tracer, route(), SENT, Client())
    assert tracer.open == 1
    finish(tracer, request, AnswerHeads().of_error(503, 1))
    assert [span.name for span in spans] == ["POST /predict"]
    assert tracer.open == 0


def test_untraced_requests_of_a_batch_are_counted_and_not_linked() -> None:
    tracer, spans = make(0)
    at, client = route(), Client()
    requests = [enter(tracer, at, head, client) for head in (HEAD, SENT, HEAD, SENT)]
    held = batch(7, at, requests)
    watched = BatchTracer(tracer, "S:1")
    watched.batch_sent(held)
    head = AnswerHeads().of_error(200, None)
    for request in requests:
        request.sink.answer(request, head, b"")
    watched.batch_done(held, TIMES, 2.0)
    watched.batch_done(held, TIMES, 2.0)
    assert client.answers == [200] * 4
    first, second, of_batch = spans
    assert (of_batch.name, of_batch.parent_id, of_batch.links) == (
        "batch predict",
        first.context.span_id,
        (first.context, second.context),
    )
    assert of_batch.attributes["bentoml.batch_size"] == first.attributes["bentoml.batch_size"] == 4
    assert first.attributes["bentoml.queue_s"] == 0.5
    assert of_batch.end_ns - of_batch.start_ns == 500_000_000
    assert [of_batch.attributes[f"bentoml.{step}_s"] for step in ("decode", "call", "encode")] == list(TIMES)


def test_clients_cannot_fill_the_memory_with_heads() -> None:
    tracer, _ = make(0)
    at, client = route(), Client()
    for i in range(3 * PLAIN_HEADS):
        tracer.enter(client, at, b"POST\r\nx-note: %d\r\n" % i)
    tracer.enter(client, at, b"POST\r\nx-note: %b\r\n" % (b"x" * 5000))
    assert len(tracer._plain) <= PLAIN_HEADS
    assert max(map(len, tracer._plain)) <= 1024


def test_the_rate_holds_for_heads_that_were_seen_before_too() -> None:
    tracer, _ = make(0.25)
    at, client = route(), Client()
    count = sum(isinstance(tracer.enter(client, at, HEAD)[0], TracedSink) for _ in range(20_000))
    assert 4500 < count < 5500  # 8 standard deviations
