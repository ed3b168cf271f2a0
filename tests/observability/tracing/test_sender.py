"""Spans go to a real collector from a thread; one that is slow, broken or gone costs only spans."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from bentoml.observability.tracing.otlp import OtlpExporter
from bentoml.observability.tracing.sender import MOST_AT_ONCE, SpanSender
from bentoml.observability.tracing.spans import Exporter, Span, child_context, first_context
from bentoml.observability.tracing.zipkin import ZipkinExporter
from tests.server.live.collector import Collector, collecting
from tests.server.live.process import free_port, until


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(params=["otlp", "zipkin"])
def exporter(request: pytest.FixtureRequest, collector: Collector) -> Exporter:
    return make(request.param, collector.port)


def make(kind: str, port: int) -> Exporter:
    if kind == "otlp":
        return OtlpExporter(f"http://127.0.0.1:{port}/v1/traces?key=secret", "BentoService.S", "7")
    return ZipkinExporter(f"http://127.0.0.1:{port}/api/v2/spans?key=secret", "BentoService.S")


def span(name: str = "work") -> Span:
    return Span(name, first_context(), None, 1_000_000_000, 1_002_500_000)


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("bentoml"), "propagate", True)
    caplog.set_level(logging.INFO, "bentoml.tracing")


class PathOnly(Collector):
    """A collector whose clients may add a query."""

    def take(self, handler: object) -> None:
        handler.path = handler.path.partition("?")[0]  # type: ignore[attr-defined]
        super().take(handler)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_a_span_arrives_as_it_was_made(kind: str) -> None:
    collector = PathOnly()
    try:
        parent = first_context()._replace(state="a=1")
        own, other = child_context(parent), first_context()
        made = Span(
            "POST /x",
            own,
            parent.span_id,
            1_700_000_000_000_000_000,
            1_700_000_000_002_500_000,
            {"text": "\u00e9", "whole": 3, "part": 0.25, "yes": True},
            is_server=True,
            links=(other,),
            error="500",
        )
        sender = SpanSender(make(kind, collector.port))
        sender.put(made)
        sender.put(span("other"))
        assert sender.close(30)
        seen, second = collector.spans
        assert (seen.name, seen.trace, seen.id) == ("POST /x", own.trace_hex, own.span_hex)
        assert (seen.parent, seen.is_server, seen.error) == (parent.span_hex, True, "500")
        assert (seen.start_ns, seen.end_ns) == (made.start_ns, made.end_ns)
        assert seen.links == [f"{other.trace_hex}-{other.span_hex}"]
        assert seen.resource["service.name"] == "BentoService.S"
        found = {name: seen.attributes[name] for name in made.attributes}
        as_text = {"text": "\u00e9", "whole": "3", "part": "0.25", "yes": "true"}
        assert found == (made.attributes if kind == "otlp" else as_text)
        assert (second.name, second.parent, second.error, second.is_server) == ("other", "", "", False)
        if kind == "otlp":
            assert (seen.state, seen.resource["service.version"]) == ("a=1", "7")
        assert sender.sent == 2 and not sender.lost
    finally:
        collector.close()


def test_variables_of_opentelemetry_are_read(monkeypatch: pytest.MonkeyPatch, collector: Collector) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20t")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    sender = SpanSender(OtlpExporter(collector.otlp_url, "BentoService.S", "7"))
    sender.put(span())
    assert sender.close(30)
    resource = collector.spans[0].resource
    assert (resource["service.name"], resource["deployment.environment"]) == ("shop", "test")
    assert (collector.headers[0]["authorization"], collector.headers[0]["content-encoding"]) == (
        "Bearer t",
        "gzip",
    )


def test_zipkin_gets_short_trace_ids_back_as_they_came(collector: Collector) -> None:
    sender = SpanSender(ZipkinExporter(collector.zipkin_url, "BentoService.S"))
    own = first_context()._replace(trace_id=0xAB)
    sender.put(Span("x", own, None, 0, 1))
    assert sender.close(30)
    assert collector.spans[0].trace == "00000000000000ab"
    assert collector.spans[0].end_ns == 1000  # Zipkin knows no duration of 0


def test_more_than_one_batch_arrives_in_order(collector: Collector) -> None:
    sender = SpanSender(OtlpExporter(collector.otlp_url, "S", "7"), interval_s=0.01)
    names = [str(i) for i in range(2 * MOST_AT_ONCE + 5)]
    for name in names:
        sender.put(span(name))
    assert sender.close(60)
    assert [seen.name for seen in collector.spans] == names


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_a_collector_that_refuses_is_reported_once_and_its_return_too(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    collector = PathOnly()
    try:
        collector.status = 400
        sender = SpanSender(make(kind, collector.port), interval_s=0.01)
        for _ in range(3):
            before = sender.lost
            sender.put(span())
            until(lambda: sender.lost > before, 30)  # noqa: B023 - called at once
        collector.status = 200
        sender.put(span("good"))
        until(lambda: sender.sent == 1, 30)
        assert [seen.name for seen in collector.spans] == ["good"]
        texts = [record.getMessage() for record in caplog.records if record.name == "bentoml.tracing"]
        assert len(texts) == 2, texts
        assert "400" in texts[0] and f"127.0.0.1:{collector.port}" in texts[0]
        assert "takes spans again; 3 were lost" in texts[1]
        assert not any("secret" in text for text in texts)
        assert sender.close(30)
    finally:
        collector.close()


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_a_collector_that_is_gone_costs_spans_and_one_line(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    sender = SpanSender(make(kind, free_port()), interval_s=0.01)
    for wanted in (1, 2):
        sender.put(span())
        until(lambda: sender.lost == wanted, 60)  # noqa: B023 - called at once
    assert sender.close(30)  # nothing waits
    texts = [record.getMessage() for record in caplog.records if record.name == "bentoml.tracing"]
    assert sum("Cannot send spans" in text for text in texts) == 1, texts
    assert "refused" in texts[0] and not any("secret" in text for text in texts)


def test_a_full_queue_drops_new_spans_and_says_so(
    collector: Collector, exporter: Exporter, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = type(exporter)(  # the collector of this test wants no query
        *(
            (collector.otlp_url, "S", "7")
            if isinstance(exporter, OtlpExporter)
            else (collector.zipkin_url, "S")
        )
    )
    collector.held.set()
    sender = SpanSender(exporter, most_waiting=10, interval_s=0.01)
    sender.put(span("first"))
    until(lambda: collector.asked, 30)
    for i in range(25):
        sender.put(span(str(i)))
    collector.held.clear()
    until(lambda: sender.sent == 11, 60)
    assert [seen.name for seen in collector.spans] == ["first", *map(str, range(10))]
    assert sender.lost == 15
    assert "is too slow for the spans of this server; 15 were lost" in caplog.text
    assert sender.close(30)


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_stopping_waits_no_longer_than_it_may_for_a_collector_that_hangs(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    collector = PathOnly()
    try:
        collector.held.set()
        sender = SpanSender(make(kind, collector.port), interval_s=0.01)
        sender.put(span())
        until(lambda: collector.asked, 30)
        start = time.monotonic()
        assert not sender.close(0.2)
        assert time.monotonic() - start < 60  # its own timeouts are longer than this test
        assert "did not take" in caplog.text
    finally:
        collector.close()


def test_without_a_span_there_is_no_thread_and_no_request(collector: Collector) -> None:
    sender = SpanSender(ZipkinExporter(collector.zipkin_url, "S"))
    assert sender._thread is None
    assert sender.close(30)
    assert not collector.asked
