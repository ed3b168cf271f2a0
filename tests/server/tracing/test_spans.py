"""Spans of a real server at a real collector: which requests, how they hang together, what they say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.server.live.collector import Collector, SeenSpan, collecting
from tests.server.live.process import ServerProcess, serving, until
from tests.server.live.wire import JSON, Answer, Wire, all_at_once, ask, get, post, raw, request

pytestmark = pytest.mark.timeout(300)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SHORT = "8448eb211c80319c"
ALL = {"BENTOML_TRACING_SAMPLE_RATE": "1", "BENTOML_TIMEOUT": "20"}
Tracing = tuple[ServerProcess, Collector]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


def start(
    kind: str, collector: Collector, bundle: Path, folder: Path, **env: str
) -> Iterator[tuple[ServerProcess, Collector]]:
    addresses = {
        "otlp": {"BENTOML_TRACING_OTLP_URL": f"http://127.0.0.1:{collector.port}"},
        "zipkin": {"BENTOML_TRACING_ZIPKIN_URL": collector.zipkin_url},
        "jaeger": {
            "BENTOML_TRACING_JAEGER_ADDRESS": "127.0.0.1",
            "BENTOML_TRACING_JAEGER_PORT": str(collector.port),
        },
    }
    variables = {"BENTOML_TRACING_TYPE": kind, **addresses[kind], **ALL, **env}
    with serving(bundle, folder, env=variables) as server:
        yield server, collector
        assert server.stop() == 0, server.log


@pytest.fixture(scope="module")
def otlp(
    collector: Collector, probe_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tracing]:
    yield from start("otlp", collector, probe_bundle, tmp_path_factory.mktemp("otlp"))


@pytest.fixture(scope="module")
def zipkin(
    collector: Collector, probe_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tracing]:
    yield from start("zipkin", collector, probe_bundle, tmp_path_factory.mktemp("zipkin"))


def of(collector: Collector, answer: Answer) -> SeenSpan:
    return collector.of_request(answer.headers["x-request-id"])


def prediction_record(server: ServerProcess, request_id: str) -> dict[str, object]:
    def found() -> dict[str, object] | None:
        path = server.folder / "home" / "logs" / "prediction.log"
        records = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
        return next((r for r in records if r["request_id"] == request_id), None)

    record = until(found, 30, "the prediction record")
    assert record is not None
    return record


def logged_headers(server: ServerProcess, answer: Answer) -> dict[str, str]:
    """Header fields of a request, as service code and the prediction log see them."""
    task = prediction_record(server, answer.headers["x-request-id"])["task"]
    assert isinstance(task, dict)
    pairs = task["http_headers"]
    assert len({name for name, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def test_a_request_and_its_batch(otlp: Tracing) -> None:
    server, collector = otlp
    answer = post(server.port, "/slow", {"id": "a", "ms": 30})
    assert answer.status == 200
    span = of(collector, answer)
    batch = collector.of_batch(span)
    assert (span.name, span.parent, span.is_server, span.error) == ("POST /slow", "", True, "")
    assert span.attributes["http.request.method"] == "POST"
    assert (span.attributes["http.route"], span.status) == ("/slow", 200)
    assert (span.attributes["bentoml.api"], span.attributes["bentoml.batch_size"]) == ("slow", 1)
    assert span.attributes["bentoml.queue_s"] >= 0
    assert span.attributes["bentoml.bundle"].startswith("Probe:")
    assert span.resource["service.name"] == "BentoService.Probe"
    assert span.resource["service.version"] == span.attributes["bentoml.bundle"].partition(":")[2]
    assert (batch.name, batch.trace, batch.parent, batch.is_server) == (
        "batch slow",
        span.trace,
        span.id,
        False,
    )
    assert (batch.attributes["bentoml.route"], batch.attributes["bentoml.batch_size"]) == ("/slow", 1)
    assert batch.attributes["bentoml.bundle"] == span.attributes["bentoml.bundle"]
    assert batch.attributes["bentoml.call_s"] >= 0.03
    assert batch.attributes["bentoml.decode_s"] > 0 and batch.attributes["bentoml.encode_s"] > 0
    assert batch.links == [f"{span.trace}-{span.id}"]
    assert batch.end_ns - batch.start_ns >= batch.attributes["bentoml.call_s"] * 1e9
    assert span.start_ns <= batch.start_ns <= batch.end_ns
    assert span.end_ns - span.start_ns >= 30_000_000


def test_a_batch_links_to_every_request_in_it(otlp: Tracing) -> None:
    server, collector = otlp
    first = request("/slow", b'{"id": "first", "ms": 700}', headers=JSON)
    others = [request("/slow", b'{"id": "other", "ms": 1}', headers=JSON) for _ in range(20)]
    with Wire(server.port) as wire:
        wire.send(first)
        until(lambda: "first" in dict(map(reversed, server.executions("slow"))), 20)  # type: ignore[arg-type]
        answers = all_at_once(server.port, others)
        assert wire.answer().status == 200
    spans = [of(collector, answer) for answer in answers]
    ids = {span.attributes["bentoml.batch_span"] for span in spans}
    batches = [collector.wait_for(lambda s, i=i: s.id == i)[0] for i in ids]  # type: ignore[misc]
    assert sum(len(batch.links) for batch in batches) == len(spans)
    assert max(len(batch.links) for batch in batches) > 1, "no batch was formed"
    for batch in batches:
        members = [span for span in spans if span.attributes["bentoml.batch_span"] == batch.id]
        assert sorted(batch.links) == sorted(f"{span.trace}-{span.id}" for span in members)
        assert batch.attributes["bentoml.batch_size"] == len(members)
        assert {span.attributes["bentoml.batch_size"] for span in members} == {len(members)}
        parents = [span for span in members if span.id == batch.parent]
        assert len(parents) == 1 and not parents[0].links
        for span in members:
            assert span is parents[0] or span.links == [f"{batch.trace}-{batch.id}"]
    assert len({span.trace for span in spans}) == len(spans)


def test_a_w3c_trace_is_continued_and_handed_on(otlp: Tracing) -> None:
    server, collector = otlp
    sent = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "shop=42"}
    answer = post(server.port, "/echo", 1, sent)
    span = of(collector, answer)
    assert (span.trace, span.parent, span.state) == (TRACE, SPAN, "shop=42")
    seen = logged_headers(server, answer)
    assert seen["traceparent"] == f"00-{TRACE}-{span.id}-01"
    assert seen["tracestate"] == "shop=42"


@pytest.mark.parametrize(
    "fields",
    [
        {"traceparent": f"00-{TRACE}-{SPAN}-00"},
        {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Sampled": "0"},
        {"b3": "0"},
        {"uber-trace-id": f"{TRACE}:{SPAN}:0:0"},
    ],
)
def test_a_client_that_decided_against_it_is_not_traced(otlp: Tracing, fields: dict[str, str]) -> None:
    server, collector = otlp
    answer = post(server.port, "/echo", 1, fields)
    page = get(server.port, "/healthz", {**fields, "x-note": "page"})
    assert (answer.status, page.status) == (200, 200)
    assert of(collector, post(server.port, "/echo", 2))  # a later one has arrived
    assert not [
        s for s in collector.spans if s.attributes.get("bentoml.request_id") == answer.headers["x-request-id"]
    ]
    assert not [s for s in collector.spans if s.parent == SPAN and s.name == "GET /healthz"]
    seen = logged_headers(server, answer)
    assert {name.lower(): value for name, value in fields.items()}.items() <= seen.items()


def test_b3_as_clients_of_0_13_send_it(zipkin: Tracing) -> None:
    server, collector = zipkin
    sent = {
        "X-B3-TraceId": SHORT,
        "X-B3-SpanId": SPAN,
        "X-B3-ParentSpanId": SHORT,
        "X-B3-Flags": "0",
        "X-B3-Sampled": "1",
    }
    answer = post(server.port, "/echo", 1, sent)
    span = of(collector, answer)
    batch = collector.of_batch(span)
    assert (span.trace, span.parent, span.name, span.is_server) == (SHORT, SPAN, "POST /echo", True)
    assert (batch.trace, batch.parent, batch.name) == (SHORT, span.id, "batch echo")
    assert batch.links == [f"{SHORT}-{span.id}"]
    assert span.resource == {"service.name": "BentoService.Probe"}
    assert (span.attributes["http.response.status_code"], span.attributes["bentoml.batch_size"]) == (
        "200",
        "1",
    )
    seen = logged_headers(server, answer)
    assert (seen["x-b3-traceid"], seen["x-b3-spanid"], seen["x-b3-parentspanid"]) == (SHORT, span.id, SPAN)
    assert seen["x-b3-sampled"] == "1" and "x-b3-flags" not in seen
    assert seen["traceparent"] == f"00-{SHORT:0>32}-{span.id}-01"


def test_zipkin_users_may_send_w3c_and_the_single_header(zipkin: Tracing) -> None:
    server, collector = zipkin
    for fields in ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, {"b3": f"{TRACE}-{SPAN}-1"}):
        span = of(collector, post(server.port, "/echo", 1, fields))
        assert (span.trace, span.parent) == (TRACE, SPAN)


def test_jaegers_own_header(collector: Collector, probe_bundle: Path, tmp_path: Path) -> None:
    for server, _ in start("jaeger", collector, probe_bundle, tmp_path):
        answer = post(server.port, "/echo", 1, {"uber-trace-id": f"{SHORT}:{SPAN}:0:1"})
        span = of(collector, answer)
        assert (span.trace, span.parent) == (f"{SHORT:0>32}", SPAN)
        seen = logged_headers(server, answer)
        assert seen["uber-trace-id"] == f"{span.trace}:{span.id}:{SPAN}:1"


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_errors_say_their_status(kind: str, request: pytest.FixtureRequest) -> None:
    server, collector = request.getfixturevalue(kind)
    raised = of(collector, post(server.port, "/boom", {"do": "raise"}))
    refused = of(collector, post(server.port, "/echo", body=b"{"))
    assert (raised.status, raised.error) == (500, "500")
    assert (refused.status, refused.error) == (400, "")  # the client's mistake
    assert raised.attributes["bentoml.batch_size"] in (1, "1")


def test_a_request_that_outlives_its_time(otlp: Tracing) -> None:
    server, collector = otlp
    answer = post(server.port, "/slow1", {"ms": 1500}, {"X-Request-Timeout-Ms": "100"})
    span = of(collector, answer)
    assert (answer.status, span.status, span.error) == (504, 504, "504")
    assert span.attributes["bentoml.batch_size"] == 1
    assert span.end_ns - span.start_ns >= 100_000_000


def test_a_client_that_leaves(otlp: Tracing) -> None:
    server, collector = otlp
    fields = {**JSON, "traceparent": f"00-{'c' * 32}-{SPAN}-01"}
    with Wire(server.port) as wire:
        wire.send(request("/slow", b'{"id": "gone", "ms": 300}', headers=fields))
        until(lambda: any(item == "gone" for _, item in server.executions("slow")), 20)
        wire.reset()
    spans = collector.wait_for(lambda span: span.trace == "c" * 32, 2)
    span = next(span for span in spans if span.is_server)
    assert (span.name, span.error, span.parent) == ("POST /slow", "the client left", SPAN)
    assert "http.response.status_code" not in span.attributes


def test_a_worker_that_dies_with_a_batch(otlp: Tracing) -> None:
    server, collector = otlp
    fields = {**JSON, "traceparent": f"00-{'d' * 32}-{SPAN}-01"}
    with Wire(server.port) as wire:
        wire.send(request("/slow", b'{"id": "killed", "ms": 800}', headers=fields))
        executed = until(lambda: [pid for pid, item in server.executions("slow") if item == "killed"], 20)
        os.kill(executed[0], SIGKILL)
        assert wire.answer().status == 200  # batched APIs run again
    spans = collector.wait_for(lambda span: span.trace == "d" * 32, 3)
    lost, again = sorted((span for span in spans if not span.is_server), key=lambda span: span.start_ns)
    served = next(span for span in spans if span.is_server)
    assert (lost.error, again.error) == ("the worker died", "")
    assert (served.status, served.error, served.attributes["bentoml.tries"]) == (200, "", 2)
    assert served.attributes["bentoml.batch_span"] == again.id
    until(lambda: get(server.port, "/readyz").status == 200, 60)


def traced(digit: str, **fields: str) -> dict[str, str]:
    return {"traceparent": f"00-{digit * 32}-{SPAN}-01", **fields}


def only(collector: Collector, digit: str) -> SeenSpan:
    (span,) = collector.wait_for(lambda span: span.trace == digit * 32)
    assert (span.parent, span.is_server) == (SPAN, True)
    return span


def test_pages_and_unknown_paths(otlp: Tracing) -> None:
    server, collector = otlp
    assert get(server.port, "/metadata", traced("1")).status == 200
    assert get(server.port, "/static_content/main.css?x=1", traced("2")).status == 200
    assert get(server.port, "/no/such/page", traced("3")).status == 404
    assert ask(server.port, request("/echo", b"1", "PUT", traced("4"))).status == 405
    page, file, unknown, method = (only(collector, digit) for digit in "1234")
    assert (page.name, page.status, page.attributes["http.route"]) == ("GET /metadata", 200, "/metadata")
    assert (file.name, file.attributes["url.path"]) == ("GET /static_content", "/static_content/main.css")
    assert (unknown.name, unknown.status, unknown.error) == ("GET", 404, "")
    assert unknown.attributes["url.path"] == "/no/such/page"
    assert (method.name, method.status) == ("PUT", 405)


def test_requests_that_are_refused_before_they_are_read(otlp: Tracing) -> None:
    server, collector = otlp
    too_long = raw("POST /echo HTTP/1.1", "Host: x", "Content-Length: 99999999999", *lines(traced("5")))
    unknown_coding = raw("POST /echo HTTP/1.1", "Host: x", "Transfer-Encoding: snappy", *lines(traced("6")))
    stops = (
        raw("POST /echo HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", *lines(traced("7"))) + b"zz\r\n"
    )
    statuses = [ask(server.port, data).status for data in (too_long, unknown_coding, stops)]
    spans = [only(collector, digit) for digit in "567"]
    assert [span.status for span in spans] == statuses
    assert statuses[:2] == [413, 501] and statuses[2] == 400
    assert [span.error for span in spans] == ["", "501", ""]
    assert spans[2].attributes["http.route"] == "/echo"


def lines(fields: dict[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in fields.items()]


def test_a_body_that_is_too_large_for_a_known_head(otlp: Tracing) -> None:
    """The head's third sighting takes the road that parses nothing."""
    server, collector = otlp
    with Wire(server.port) as wire:
        for _ in range(4):
            answer = wire.send(request("/echo", b"1", headers={**JSON, **traced("8")})).answer()
            assert answer.status == 200
            assert of(collector, answer).trace == "8" * 32
    spans = collector.wait_for(lambda span: span.trace == "8" * 32 and span.is_server, 4)
    assert len({span.id for span in spans}) == 4
    assert {span.parent for span in spans} == {SPAN}


def test_predictions_on_the_plain_road_are_traced_once(
    collector: Collector, probe_bundle: Path, tmp_path: Path
) -> None:
    cors = {"BENTOML_ENABLE_CORS": "true", "BENTOML_CORS_ALLOW_ORIGIN": "*"}
    for server, _ in start("otlp", collector, probe_bundle, tmp_path, **cors):
        fields = traced("9", Origin="https://example.com")
        answer = post(server.port, "/echo", 1, fields)
        assert answer.headers["access-control-allow-origin"] == "*"
        span = of(collector, answer)
        assert (span.name, span.trace, span.parent, span.status) == ("POST /echo", "9" * 32, SPAN, 200)
        assert logged_headers(server, answer)["traceparent"] == f"00-{span.trace}-{span.id}-01"
        batch = collector.of_batch(span)
        assert batch.parent == span.id
        refused = post(server.port, "/echo", body=b"{", headers=traced("a", Origin="https://example.com"))
        assert of(collector, refused).status == refused.status == 400
    assert len([span for span in collector.spans if span.trace in ("9" * 32, "a" * 32)]) == 4
