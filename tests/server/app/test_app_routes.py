"""Probes, information, predictions over plain ASGI, and the same rules of methods everywhere."""

from __future__ import annotations

import asyncio
import json
import re
import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bentoml.server.app import build_app
from bentoml.server.cors import DEFAULT_METHODS

GET_PATHS = ["/", "/docs", "/docs.json", "/healthz", "/livez", "/readyz", "/metadata", "/metrics"]


def test_healthz_is_that_of_013(client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_P14_readiness_says_why_not_and_liveness_stays(make_client) -> None:
    client, state = make_client()
    assert client.get("/readyz").text == "ready\n"
    state.not_ready = "no worker is ready"
    for path in ("/readyz", "/healthz"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.text == "Service Unavailable: no worker is ready"
    assert client.get("/livez").status_code == 200


def test_metadata_is_one_json_object_in_camel_case(client) -> None:
    record = client.get("/metadata").json()
    assert (record["name"], record["version"]) == ("Sample", "v1_A")
    assert [api["name"] for api in record["apis"]] == ["predict", "shout"]
    assert record["apis"][0]["mbMaxBatchSize"] == 10
    assert "createdAt" in record


def test_predictions_over_plain_asgi(client) -> None:
    answer = client.post("/predict", json=[1, 2, 3.5])
    assert (answer.status_code, answer.json()) == (200, 6.5)
    assert uuid.UUID(answer.headers["x-request-id"]).version == 4
    answer = client.post("/v1/shout", content="abc", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.text) == (200, '"ABC"')


def test_errors_of_clients_and_of_service_code(client) -> None:
    answer = client.post("/predict", content=b"{bad")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert "x-request-id" in answer.headers
    answer = client.post("/predict", json=["a"])
    assert answer.status_code == 500
    assert "Exception happened in API function" in answer.text


def test_P15_an_unexpected_error_leaks_nothing_but_its_id(make_state, caplog) -> None:
    from starlette.testclient import TestClient

    state = make_state()
    state.broken = True
    answer = TestClient(build_app(state), raise_server_exceptions=False).post("/predict", json=[1])
    assert answer.status_code == 500
    match = re.fullmatch(r"Internal Server Error, id ([0-9a-f-]{36})", answer.text)
    assert match is not None
    assert answer.headers["x-request-id"] == match.group(1)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", GET_PATHS)
def test_B102_methods_of_every_page(client, path: str) -> None:
    got = client.get(path)
    assert got.status_code == 200
    head = client.head(path)
    assert (head.status_code, head.headers["content-type"]) == (200, got.headers["content-type"])
    asked = client.options(path)
    assert (asked.status_code, asked.headers["allow"]) == (200, "GET, HEAD, OPTIONS")
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = client.request(method, path, content=b"x" * 100)
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == "GET, HEAD"
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "accept", ["*/*", "image/png", "text/html;q=0.1", "", "x" * 5000, "application/openmetrics-text"]
)
def test_B102_odd_accept_changes_no_status(client, accept: str) -> None:
    for path in GET_PATHS:
        assert client.get(path, headers={"Accept": accept}).status_code == 200


def test_methods_of_a_prediction_route(client) -> None:
    answer = client.put("/predict", json=[1])
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    answer = client.options("/predict")
    assert (answer.status_code, answer.headers["allow"]) == (200, "GET, POST, OPTIONS")


@pytest.mark.parametrize(
    "path",
    ["/nope", "/predict/", "/predict/x", "/%2e%2e/predict", "/a%00b", "http://testserver//predict", "/é"],
)
def test_unknown_paths_are_404_with_short_text(client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text) < 100


def test_a_body_over_the_limit_is_413_chunked_or_not(make_client) -> None:
    client, _ = make_client(max_request_size=100)
    assert client.post("/predict", content=b"[" + b"1," * 48 + b"1]").status_code == 200
    assert client.post("/predict", content=b"1" * 101).status_code == 413

    def chunks():
        for _ in range(20):
            yield b"1" * 10

    answer = client.post("/predict", content=chunks())
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert "100 bytes" in answer.text


def test_a_body_that_never_ends_is_408(make_state) -> None:
    app = build_app(make_state(body_timeout_s=0.05))
    sent: list[dict] = []

    async def receive() -> dict:
        await asyncio.sleep(30)
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b""}
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 20))
    assert sent[0]["status"] == 408


def test_a_client_that_leaves_takes_its_request_out_of_the_queue(make_state) -> None:
    state = make_state()
    cancelled = asyncio.Event()

    async def never(route: str, raw_head: bytes, body: bytes) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    state.predict = never
    messages = [{"type": "http.request", "body": b"[1]"}, {"type": "http.disconnect"}]

    async def receive() -> dict:
        return messages.pop(0)

    async def send(message: dict) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b""}

    async def run() -> None:
        await build_app(state)(scope, receive, send)
        await asyncio.wait_for(cancelled.wait(), 10)

    asyncio.run(run())


def test_feedback_is_stored_with_the_service(client, tmp_path) -> None:
    answer = client.post("/feedback", json={"request_id": "r1", "label": "good\nfake"})
    assert (answer.status_code, answer.text) == (200, "success")
    lines = (tmp_path / "home" / "logs" / "feedback.log").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"request_id": "r1", "label": "good\nfake", "service_name": "Sample", "service_version": "v1_A"}
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Failed parsing feedback JSON data"),
        (b"{", "Failed parsing feedback JSON data"),
        (b"[1]", "Failed parsing feedback JSON data"),
        (b"\xff", "Failed parsing feedback JSON data"),
        (b"[" * 100_000, "Failed parsing feedback JSON data"),
        (b'{"request_id": ' + b"1" * 5000 + b"}", "Failed parsing feedback JSON data"),
        (b"{}", "Missing 'request_id' in feedback JSON data"),
        (b'{"request_id": null}', "Missing 'request_id' in feedback JSON data"),
    ],
)
def test_B101_bad_feedback_is_400(client, body: bytes, text: str) -> None:
    answer = client.post("/feedback", content=body)
    assert (answer.status_code, answer.text) == (400, text)


def test_B101_huge_feedback_is_413(client) -> None:
    assert client.post("/feedback", content=b" " * (20 << 20)).status_code == 413


def test_feedback_and_metrics_can_be_disabled(make_client) -> None:
    client, _ = make_client(feedback__enabled=False, metrics__enabled=False)
    assert client.post("/feedback", json={"request_id": "x"}).status_code == 404
    assert client.get("/metrics").status_code == 404
    assert 'href="metrics"' not in client.get("/").text
    paths = client.get("/docs.json").json()["paths"]
    assert "/metrics" not in paths
    assert "/feedback" not in paths


def values(client) -> dict[tuple[str, str], float]:
    return {
        (s.labels.get("endpoint", ""), s.labels.get("http_response_code", "")): s.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for s in family.samples
        if s.name == "BENTOML_Sample_request_total"
    }


def test_metrics_count_every_answer_with_its_status(make_client) -> None:
    client, _ = make_client(max_request_size=1000)
    client.get("/healthz")
    client.post("/healthz")
    for path in ("/x", "/y", "/z"):
        client.get(path)
    client.post("/predict", json=[1])
    client.post("/predict", content=b"{bad")
    client.put("/predict")
    client.post("/predict", content=b"1" * 1001)
    assert values(client) == {
        ("/healthz", "200"): 1,
        ("/healthz", "405"): 1,
        ("/other", "404"): 3,
        ("/predict", "200"): 1,
        ("/predict", "400"): 1,
        ("/predict", "405"): 1,
        ("/predict", "413"): 1,
    }


def test_metrics_show_workers_and_queues(client) -> None:
    text = client.get("/metrics").text
    assert "BENTOML_Sample_worker_restarts_total 3.0" in text
    assert 'BENTOML_Sample_workers{state="ready"} 1.0' in text
    assert 'BENTOML_Sample_queue_length{endpoint="predict"} 3.0' in text
    assert 'BENTOML_Sample_batch_estimate{endpoint="predict",parameter="fixed_seconds"} 0.5' in text


def test_metric_namespace_follows_the_settings(make_client) -> None:
    client, _ = make_client(metrics__namespace="ACME")
    client.get("/livez")
    assert "ACME_Sample_request_total{" in client.get("/metrics").text


ORIGIN = "https://a.example"


def cors_client(make_client, **more):
    return make_client(cors__enabled=True, cors__allow_origin=[ORIGIN], **more)[0]


def access(answer) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.startswith("access-control-")}


def test_B103_no_cors_unless_enabled(client) -> None:
    assert access(client.get("/metadata", headers={"Origin": ORIGIN})) == {}
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert access(client.options("/predict", headers=asked)) == {}


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", ORIGIN + ".evil", "http://a.example", ORIGIN.upper(), ""]
)
def test_B103_other_origins_get_nothing(make_client, origin: str) -> None:
    client = cors_client(make_client, cors__allow_credentials=True)
    assert access(client.get("/metadata", headers={"Origin": origin})) == {}
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-odd",
    }
    answer = client.options("/predict", headers=asked)
    assert (answer.status_code, access(answer)) == (403, {})


def test_cors_for_the_allowed_origin(make_client) -> None:
    client = cors_client(
        make_client,
        cors__allow_credentials=True,
        cors__expose_headers=["X-Request-Id"],
        cors__max_age=60,
        cors__allow_headers=["Content-Type", "X-A"],
    )
    answer = client.post("/predict", json=[1], headers={"Origin": ORIGIN})
    assert answer.json() == 1
    assert access(answer) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "X-Request-Id",
    }
    assert "Origin" in answer.headers["vary"]
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = client.options("/predict", headers=asked)
    assert answer.status_code == 200
    assert access(answer) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": ", ".join(DEFAULT_METHODS),
        "access-control-allow-headers": "Content-Type, X-A",
        "access-control-max-age": "60",
    }
    assert "Origin" in client.get("/metadata").headers["vary"]


def test_cors_for_everybody_reflects_nobody(make_client) -> None:
    client, _ = make_client(cors__enabled=True, cors__allow_origin=["*"])
    assert access(client.get("/nope", headers={"Origin": "null"})) == {"access-control-allow-origin": "*"}


@pytest.mark.parametrize("cut_by_proxy", [True, False])
def test_a_configured_prefix_works_cut_off_or_not(make_client, cut_by_proxy: bool) -> None:
    client, _ = make_client(prefix="/models/iris")
    base = "" if cut_by_proxy else "/models/iris"
    assert client.get(f"{base}/").status_code == 200
    assert client.get(f"{base}/static_content/main.css").status_code == 200
    assert client.post(f"{base}/predict", json=[1, 2]).json() == 3
    assert client.get(f"{base}/docs.json").json()["servers"] == [{"url": "/models/iris"}]
    answer = client.get("/models/iris")
    assert (answer.status_code, answer.headers["location"]) == (307, "/models/iris/")
    assert client.get("/models/irisx/").status_code == 404


def test_a_forwarded_prefix_is_used_for_links_only(client) -> None:
    def servers(value: str) -> str:
        return client.get("/docs.json", headers={"X-Forwarded-Prefix": value}).json()["servers"][0]["url"]

    assert servers("/a/b/") == "/a/b"
    assert servers("/a, /b") == "/a"
    for odd in ("//evil.example", "https://evil", "/a/../b", "/<script>", "a", "/" + "x" * 300, "/a b"):
        assert servers(odd) == "/"


def test_docs_json_before_the_service_is_loaded(make_client) -> None:
    client, state = make_client()
    loaded = client.get("/docs.json").json()
    state.loaded = False
    assert client.get("/docs.json").json()["paths"].keys() == loaded["paths"].keys()


def test_user_metrics_of_workers_are_on_the_page(make_state, tmp_path) -> None:
    import os
    import subprocess
    import sys

    from starlette.testclient import TestClient

    from bentoml.observability.metrics import worker_metrics_env

    directory = tmp_path / "metrics"
    env = {**os.environ, **worker_metrics_env(directory)}
    code = "from prometheus_client import Counter; Counter('own_calls', 'x').inc(3)"
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    client = TestClient(build_app(make_state(metrics_dir=directory)))
    assert "own_calls_total 3.0" in client.get("/metrics").text
