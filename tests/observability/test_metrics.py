"""`/metrics`: the names of 0.13, every answer counted once, and user metrics that survive a restart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from bentoml.batching.stats import ApiStats
from bentoml.observability.metrics import (
    ServerCollector,
    ServerSnapshot,
    collect_worker_metrics,
    forget_worker,
    metric_prefix,
    render_page,
    worker_metrics_env,
)


def collector() -> ServerCollector:
    api = ApiStats("predict")
    for status, times in {400: 2, 429: 1}.items():
        for _ in range(times):
            api.of_status(status).observe(0.01)
    api.refused = {"queue_full": 1}
    api.exceptions = {"ValueError": 3}
    api.in_progress = 4
    for value in (0.001, 0.003, 120.0):
        api.of_status(200).observe(value)
    api.batch_size.observe(3)
    page = ApiStats("healthz")
    for _ in range(9):
        page.of_status(200).observe(0.01)
    snapshot = ServerSnapshot(
        queue_length={"predict": 5},
        estimates={"predict": {"fixed_seconds": 0.25}},
        workers={"ready": 2},
        worker_restarts=1,
        ready=False,
    )
    return ServerCollector(
        metric_prefix("BENTOML", "Iris"), "v1", {"predict": api}, {"healthz": page}, snapshot
    )


def samples(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in text_string_to_metric_families(page.decode())
        for s in family.samples
    }


def test_names_labels_and_values() -> None:
    page, content_type = render_page([collector()])
    found = samples(page)
    assert content_type.startswith("text/plain")

    def value(name: str, **labels: str) -> float:
        return found[f"BENTOML_Iris_{name}", tuple(sorted(labels.items()))]

    where = {"endpoint": "/predict", "service_version": "v1"}
    assert value("request_total", **where, http_response_code="200") == 3
    assert value("request_total", **where, http_response_code="400") == 2
    assert value("request_total", endpoint="/healthz", service_version="v1", http_response_code="200") == 9
    assert value("request_in_progress", **where) == 4
    good = {**where, "http_response_code": "200"}
    assert value("request_duration_seconds_count", **good) == 3
    assert value("request_duration_seconds_bucket", **good, le="0.001") == 1
    assert value("request_duration_seconds_bucket", **good, le="60.0") == 2
    assert value("request_duration_seconds_bucket", **good, le="+Inf") == 3
    assert value("mb_request_duration_seconds_count", endpoint="predict", http_response_code="429") == 1
    assert value("mb_batch_size_sum", endpoint="predict") == 3
    assert value("mb_request_total", endpoint="predict", http_response_code="429") == 1
    assert value("mb_request_exception_total", endpoint="predict", exception_class="ValueError") == 3
    assert value("mb_request_in_progress", endpoint="predict", http_method="POST") == 4
    assert value("refused_total", endpoint="predict", reason="queue_full") == 1
    assert value("queue_length", endpoint="predict") == 5
    assert value("batch_estimate", endpoint="predict", parameter="fixed_seconds") == 0.25
    assert value("workers", state="ready") == 2
    assert value("worker_restarts_total") == 1
    assert value("ready") == 0


def test_openmetrics_is_negotiated() -> None:
    page, content_type = render_page([collector()], "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert "BENTOML_Iris_request" in {f.name for f in parse_openmetrics(page.decode())}


def test_label_values_of_any_kind_are_escaped() -> None:
    odd = ApiStats('a"b\\c\nd')
    odd.of_status(200).observe(0.01)
    page, _ = render_page([ServerCollector("P", 'v"', {odd.route: odd}, {}, ServerSnapshot())])
    assert samples(page)["P_mb_request_total", (("endpoint", odd.route), ("http_response_code", "200"))] == 1


WORKER = """
from prometheus_client import Counter, Gauge
Counter("my_calls", "calls").inc(2)
Gauge("my_live", "live", multiprocess_mode="livesum").set(5)
"""


def run_worker(directory: Path) -> int:
    env = {**os.environ, **worker_metrics_env(directory)}
    process = subprocess.Popen([sys.executable, "-c", WORKER], env=env)
    assert process.wait(60) == 0
    return process.pid


def test_user_metrics_of_all_workers_are_summed_and_survive_a_restart(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    assert samples(render_page([collect_worker_metrics(directory)])[0]) == {}
    first = run_worker(directory)
    run_worker(directory)
    found = samples(render_page([collector(), collect_worker_metrics(directory)])[0])
    assert found["my_calls_total", ()] == 4
    assert found["my_live", ()] == 10
    forget_worker(directory, first)
    found = samples(render_page([collect_worker_metrics(directory)])[0])
    assert (found["my_calls_total", ()], found["my_live", ()]) == (4, 5)


def test_a_damaged_file_of_a_worker_costs_only_that_part(tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").write_bytes(b"\xff" * 64)
    page, _ = render_page([collector(), collect_worker_metrics(tmp_path)])
    assert b"BENTOML_Iris_request_total" in page
