"""Sampling, start and stop: what tracing may cost a server whose collector is slow, gone, or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.live.collector import collecting
from tests.server.live.process import free_port, serving, starting, until
from tests.server.live.wire import all_at_once, post, request, still_serves

pytestmark = pytest.mark.timeout(300)

SPAN = "b7ad6b7169203331"
ON = {"BENTOML_TRACING_SAMPLE_RATE": "1"}
HIDDEN = '''
import sys


class Hidden:
    """Stands for an environment without the packages of OpenTelemetry."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hidden())
'''


def addresses(kind: str, port: int) -> dict[str, str]:
    if kind == "zipkin":
        return {"BENTOML_TRACING_ZIPKIN_URL": f"http://127.0.0.1:{port}/api/v2/spans"}
    return {"BENTOML_TRACING_TYPE": "otlp", "BENTOML_TRACING_OTLP_URL": f"http://127.0.0.1:{port}"}


def test_with_a_rate_of_0_only_the_traces_of_clients_are_recorded(probe_bundle: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        env = {**addresses("otlp", collector.port), "BENTOML_TRACING_SAMPLE_RATE": "0"}
        with serving(probe_bundle, tmp_path, env=env) as server:
            for i in range(50):
                assert post(server.port, "/echo", i).status == 200
            answer = post(server.port, "/echo", 1, {"traceparent": f"00-{'e' * 32}-{SPAN}-01"})
            assert answer.status == 200
            still_serves(server.port)
            assert server.stop() == 0
        assert sorted(span.name for span in collector.spans) == ["POST /echo", "batch echo"]
        assert {span.trace for span in collector.spans} == {"e" * 32}


def test_a_share_of_the_requests_is_recorded(probe_bundle: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        env = {**addresses("zipkin", collector.port), "BENTOML_TRACING_SAMPLE_RATE": "0.3"}
        with serving(probe_bundle, tmp_path, env=env) as server:
            for _ in range(20):
                bodies = [request("/echo", b"1") for _ in range(50)]
                assert {answer.status for answer in all_at_once(server.port, bodies)} == {200}
            assert server.stop() == 0
        count = sum(span.is_server for span in collector.spans)
        assert 200 < count < 400  # of 1000; further off once in 10**11 runs


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_stopping_sends_what_waits(kind: str, probe_bundle: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        with serving(probe_bundle, tmp_path, env={**ON, **addresses(kind, collector.port)}) as server:
            answers = [post(server.port, "/echo", i) for i in range(5)]
            assert server.stop() == 0
        sent = {span.attributes.get("bentoml.request_id") for span in collector.spans}
        assert {answer.headers["x-request-id"] for answer in answers} <= sent


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_a_collector_that_is_gone_costs_no_request(kind: str, probe_bundle: Path, tmp_path: Path) -> None:
    env = {**ON, **addresses(kind, free_port()), "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
    with serving(probe_bundle, tmp_path, env=env) as server:
        until(lambda: post(server.port, "/echo", 1).status == 200 and "Cannot send spans" in server.log, 60)
        for _ in range(20):
            bodies = [request("/echo", b"1") for _ in range(50)]
            assert {answer.status for answer in all_at_once(server.port, bodies)} == {200}
        still_serves(server.port)
        assert server.stop() == 0
        assert server.log.count("Cannot send spans") == 1
        assert len([line for line in server.log.splitlines() if "refused" in line]) == 1
        assert "Traceback" not in server.log


@pytest.mark.parametrize("kind", ["otlp", "zipkin"])
def test_a_collector_that_hangs_delays_no_answer_and_no_stop(
    kind: str, probe_bundle: Path, tmp_path: Path
) -> None:
    with collecting() as collector:
        collector.held.set()
        with serving(probe_bundle, tmp_path, env={**ON, **addresses(kind, collector.port)}) as server:
            until(lambda: post(server.port, "/echo", 1).status == 200 and collector.asked, 60)
            still_serves(server.port)
            assert server.stop() == 0
            assert "did not take" in server.log
            assert not collector.spans


def test_a_collector_that_comes_back_gets_spans_again(probe_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    with serving(probe_bundle, tmp_path, env={**ON, **addresses("zipkin", port)}) as server:
        until(lambda: post(server.port, "/echo", 1).status == 200 and "Cannot send spans" in server.log, 60)
        with collecting(port) as collector:
            until(lambda: post(server.port, "/echo", 2).status == 200 and collector.spans, 60)
            until(lambda: "takes spans again" in server.log, 30)
            assert server.stop() == 0


def hide_packages(folder: Path) -> dict[str, str]:
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDDEN)
    return {"PYTHONPATH": str(folder)}


def test_a_missing_package_is_named_at_the_start(probe_bundle: Path, tmp_path: Path) -> None:
    env = {**addresses("otlp", 1), **hide_packages(tmp_path / "hidden")}
    with starting(probe_bundle, tmp_path / "run", env=env) as server:
        assert server.wait() == 1
        assert "pip install 'bentoml[tracing]'" in server.log
        assert "Traceback" not in server.log


def test_an_address_that_is_none_is_named_at_the_start(probe_bundle: Path, tmp_path: Path) -> None:
    env = {"BENTOML_TRACING_ZIPKIN_URL": "localhost:9411"}
    with starting(probe_bundle, tmp_path, env=env) as server:
        assert server.wait() == 1
        assert "tracing.zipkin.url is 'localhost:9411'" in server.log
        assert "Traceback" not in server.log


def test_zipkin_works_without_the_packages(probe_bundle: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        env = {**ON, **addresses("zipkin", collector.port), **hide_packages(tmp_path / "hidden")}
        with serving(probe_bundle, tmp_path / "run", env=env) as server:
            answer = post(server.port, "/echo", 1)
            assert collector.of_request(answer.headers["x-request-id"]).status == 200
            assert server.stop() == 0
