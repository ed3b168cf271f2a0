"""Asks a running service how it is: `/readyz` and `/metrics`."""

from __future__ import annotations

import http.client

from prometheus_client.parser import text_string_to_metric_families

from .base import Counters

TIMEOUT_S = 3.0
MAX_BYTES = 4 << 20
_TOTALS = {
    "_mb_request_duration_seconds_sum": "seconds",
    "_mb_request_in_progress": "in_progress",
    "_queue_length": "queued",
}
_COUNT = "_mb_request_duration_seconds_count"
_BUCKET = "_mb_request_duration_seconds_bucket"


def not_ready(host: str, port: int, prefix: str = "") -> str:
    """Why the service would refuse a prediction now; "" if it would not."""
    try:
        status, body = _get(host, port, f"{prefix}/readyz")
    except OSError as err:
        return f"it does not answer at {host}:{port} ({err})"
    return "" if status == 200 else f"it answers {status}: {body[:200].strip()}"


def counters(host: str, port: int, prefix: str = "") -> Counters | None:
    """What the service counted, or None if it does not answer."""
    try:
        status, body = _get(host, port, f"{prefix}/metrics")
        return parse(body) if status == 200 else None
    except (OSError, ValueError):
        return None


def parse(text: str) -> Counters:
    """Counters of all APIs together; the server's own pages do not count."""
    found = dict.fromkeys(("requests", "errors", "seconds", "in_progress", "queued", "workers"), 0.0)
    buckets: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for ending, name in _TOTALS.items():
                if sample.name.endswith(ending):
                    found[name] += sample.value
            if sample.name.endswith(_COUNT):
                found["requests"] += sample.value
                if sample.labels.get("http_response_code", "").startswith("5"):
                    found["errors"] += sample.value
            elif sample.name.endswith(_BUCKET):
                bound = float(sample.labels.get("le", "inf"))
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
            elif sample.name.endswith("_workers") and sample.labels.get("state") == "ready":
                found["workers"] += sample.value
    return Counters(**found, buckets=tuple(sorted(buckets.items())))


def _get(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_BYTES).decode("utf-8", "replace")
    except http.client.HTTPException as err:
        raise OSError(f"no HTTP: {err!r}") from err
    finally:
        connection.close()
