"""`/metrics`: Prometheus text from plain counters, with the names the 0.13 line used.

The front counts every answer of every client itself (`ApiStats`), so nothing is measured twice and
no file is shared for it. Metrics that a service's own code makes with `prometheus_client` live in
worker processes; they write into one directory per run of the server (`worker_metrics_env`), which
is read when the page is asked for and which a restarted worker does not wipe.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from bentoml.batching.stats import ApiStats, Histogram

logger = logging.getLogger("bentoml.metrics")


@dataclass(frozen=True)
class ServerSnapshot:
    """What the page shows beside the counters, as it is at the moment of the scrape.

    Attributes:
        queue_length: waiting requests by route.
        queue_oldest_s: how long the oldest waiting request of a route has waited, seconds.
        estimates: the batching model by route, name → value (`fixed_seconds`, `per_item_seconds`).
        workers: number of worker processes by state (`ready`, `starting`, …).
        worker_restarts: workers replaced because they ended, since the server started.
        worker_recycled: workers replaced because they were worn out.
        rejected: requests refused for their head or framing, by status.
        ready: whether a prediction sent now would be served.
    """

    queue_length: Mapping[str, int] = field(default_factory=dict)
    queue_oldest_s: Mapping[str, float] = field(default_factory=dict)
    estimates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    workers: Mapping[str, int] = field(default_factory=dict)
    worker_restarts: int = 0
    worker_recycled: int = 0
    rejected: Mapping[int, int] = field(default_factory=dict)
    ready: bool = True


class ServerCollector(Collector):
    """Turns counters into metric families.

    Args:
        prefix: start of every name, `BENTOML_<ServiceName>`.
        service_version: value of the label of that name.
        apis: counters by API route.
        pages: counters of the server's own paths, by path without its leading slash; those nobody
            asked for are left out.
        snapshot: gauges at this moment.
    """

    def __init__(
        self,
        prefix: str,
        service_version: str,
        apis: Mapping[str, ApiStats],
        pages: Mapping[str, ApiStats],
        snapshot: ServerSnapshot,
    ) -> None:
        self._prefix = prefix
        self._version = service_version
        self._apis = apis
        asked = {name: stats for name, stats in pages.items() if stats.durations}
        self._all = {**apis, **asked}
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield from self._request_families()
        yield from self._batch_families()
        yield from self._cost_families()
        yield from self._server_families()

    def _request_families(self) -> Iterator[Metric]:
        labels = ["endpoint", "service_version"]
        by_code = [*labels, "http_response_code"]
        duration = self._histogram("request_duration_seconds", "Seconds from request to answer", by_code)
        total = self._counter("request", "Answers by status", by_code)
        running = self._gauge("request_in_progress", "Requests being answered", labels)
        for route, stats in self._all.items():
            values = [f"/{route}", self._version]
            running.add_metric(values, stats.in_progress)
            for status, durations in stats.durations.items():
                _add_histogram(duration, [*values, str(status)], durations)
                total.add_metric([*values, str(status)], durations.count)
        yield from (duration, total, running)

    def _batch_families(self) -> Iterator[Metric]:
        size = self._histogram("mb_batch_size", "Requests per batch", ["endpoint"])
        by_code = ["endpoint", "http_response_code"]
        duration = self._histogram("mb_request_duration_seconds", "Seconds in the batcher", by_code)
        wait = self._histogram("queue_wait_seconds", "Seconds the oldest of a batch waited", ["endpoint"])
        total = self._counter("mb_request", "Answers by status", ["endpoint", "http_response_code"])
        failed = self._counter(
            "mb_request_exception", "Requests that their API did not answer", ["endpoint", "exception_class"]
        )
        refused = self._counter("refused", "Requests turned away", ["endpoint", "reason"])
        dropped = self._counter("dropped", "Requests whose client left the queue", ["endpoint"])
        running = self._gauge(
            "mb_request_in_progress", "Requests in the batcher", ["endpoint", "http_method"]
        )
        for route, stats in self._apis.items():
            _add_histogram(size, [route], stats.batch_size)
            for status, durations in stats.durations.items():
                _add_histogram(duration, [route, str(status)], durations)
            _add_histogram(wait, [route], stats.queue_wait)
            _add_counts(total, route, stats.by_status)
            _add_counts(failed, route, stats.exceptions)
            _add_counts(refused, route, stats.refused)
            dropped.add_metric([route], stats.dropped)
            running.add_metric([route, "POST"], stats.in_progress)
        yield from (size, duration, wait, total, failed, refused, dropped, running)

    def _cost_families(self) -> Iterator[Metric]:
        steps = self._counter("worker_seconds", "Seconds spent by workers in each step", ["endpoint", "step"])
        for route, stats in self._apis.items():
            steps.add_metric([route, "decode"], stats.decode_s)
            steps.add_metric([route, "call"], stats.call_s)
            steps.add_metric([route, "encode"], stats.encode_s)
        waiting = self._gauge("queue_length", "Requests waiting for a batch", ["endpoint"])
        for route, length in self._snapshot.queue_length.items():
            waiting.add_metric([route], length)
        oldest = self._gauge("queue_oldest_seconds", "Age of the oldest request in the queue", ["endpoint"])
        for route, age_s in self._snapshot.queue_oldest_s.items():
            oldest.add_metric([route], age_s)
        estimate = self._gauge("batch_estimate", "Learned cost of a batch", ["endpoint", "parameter"])
        for route, values in self._snapshot.estimates.items():
            for name, value in values.items():
                estimate.add_metric([route, name], value)
        yield from (steps, waiting, oldest, estimate)

    def _server_families(self) -> Iterator[Metric]:
        workers = self._gauge("workers", "Worker processes by state", ["state"])
        for state, number in self._snapshot.workers.items():
            workers.add_metric([state], number)
        restarts = self._counter("worker_restarts", "Worker processes replaced because they ended", [])
        restarts.add_metric([], self._snapshot.worker_restarts)
        recycled = self._counter("worker_recycled", "Worn-out worker processes replaced", [])
        recycled.add_metric([], self._snapshot.worker_recycled)
        rejected = self._counter("rejected", "Refused for their head or framing", ["http_response_code"])
        for status, number in self._snapshot.rejected.items():
            rejected.add_metric([str(status)], number)
        ready = self._gauge("ready", "1 while predictions are served", [])
        ready.add_metric([], float(self._snapshot.ready))
        yield from (workers, restarts, recycled, rejected, ready)

    def _counter(self, name: str, text: str, labels: list[str]) -> CounterMetricFamily:
        return CounterMetricFamily(f"{self._prefix}_{name}", text, labels=labels)

    def _gauge(self, name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"{self._prefix}_{name}", text, labels=labels)

    def _histogram(self, name: str, text: str, labels: list[str]) -> HistogramMetricFamily:
        return HistogramMetricFamily(f"{self._prefix}_{name}", text, labels=labels)


class Collected(Collector):
    """Families that were collected already, in another thread."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def render_page(collectors: Iterable[Collector], accept: str = "") -> tuple[bytes, str]:
    """The page and its content type, in the format that `accept` asks for (text by default)."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def collect_worker_metrics(directory: Path) -> Collected:
    """The metrics that service code made in the workers of this run.

    Reads files, so call it off the event loop. A file that a dying worker left damaged makes this
    part of the page empty and is logged; the server's own counters do not depend on it.
    """
    if not directory.is_dir() or not any(directory.iterdir()):
        return Collected(())
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
        return Collected(registry.collect())
    except Exception:
        logger.exception("the workers' own metrics in %s cannot be read", directory)
        return Collected(())


def worker_metrics_env(directory: Path) -> dict[str, str]:
    """Variables that make `prometheus_client` in a worker write into `directory` (made if missing).

    They must be set before the worker imports `prometheus_client`. One directory serves one run of
    the server and all its workers, restarted ones too.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {"PROMETHEUS_MULTIPROC_DIR": str(directory), "prometheus_multiproc_dir": str(directory)}


def forget_worker(directory: Path, pid: int) -> None:
    """Remove the live gauges of a worker that ended; its counters stay."""
    mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]


def _add_histogram(family: HistogramMetricFamily, labels: list[str], values: Histogram) -> None:
    buckets: list[tuple[str, float]] = []
    below = 0
    for bound, number in zip((*values.bounds, float("inf")), values.counts, strict=True):
        below += number
        buckets.append(("+Inf" if bound == float("inf") else repr(float(bound)), below))
    family.add_metric(labels, buckets, values.total)


def _add_counts(family: CounterMetricFamily, route: str, counts: Mapping[Any, int]) -> None:
    for label, number in counts.items():
        family.add_metric([route, str(label)], number)


def metric_prefix(namespace: str, service_name: str) -> str:
    """`BENTOML` and `Iris` → `BENTOML_Iris`."""
    return f"{namespace}_{service_name}"
