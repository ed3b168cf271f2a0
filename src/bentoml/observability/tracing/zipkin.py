"""Zipkin: spans as version 2 JSON over HTTP. Needs no package."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Any

import orjson

from .propagation import short_trace_id
from .spans import ExportFailed, Span, TraceContext, shown

TIMEOUT_S = 5.0
MOST_LINKS = 32


class ZipkinExporter:
    """Sends spans to a collector.

    Args:
        url: the full address, such as `http://localhost:9411/api/v2/spans`.
        service: the name under which Zipkin shows this server.
    """

    def __init__(self, url: str, service: str) -> None:
        self.name = shown(url)
        self._url = url
        self._endpoint = {"serviceName": service}

    def export(self, spans: list[Span]) -> None:
        body = orjson.dumps([self._encoded(span) for span in spans])
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                response.read()
        except urllib.error.HTTPError as err:
            with err:
                raise ExportFailed(f"it answered {err.code} {err.reason}") from err
        except (OSError, http.client.HTTPException) as err:
            raise ExportFailed(str(getattr(err, "reason", err))) from err

    def close(self) -> None:
        """A request that is under way ends by its timeout."""

    def _encoded(self, span: Span) -> dict[str, Any]:
        tags = {name: _text(value) for name, value in span.attributes.items()}
        if span.error:
            tags["error"] = span.error
        if span.links:  # Zipkin has no links
            tags["links"] = ",".join(map(_linked, span.links[:MOST_LINKS]))
        encoded: dict[str, Any] = {
            "traceId": short_trace_id(span.context),
            "id": span.context.span_hex,
            "name": span.name,
            "timestamp": span.start_ns // 1000,
            "duration": max(1, (span.end_ns - span.start_ns) // 1000),
            "localEndpoint": self._endpoint,
            "tags": tags,
        }
        if span.parent_id is not None:
            encoded["parentId"] = f"{span.parent_id:016x}"
        if span.is_server:
            encoded["kind"] = "SERVER"
        return encoded


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _linked(context: TraceContext) -> str:
    return f"{short_trace_id(context)}-{context.span_hex}"
