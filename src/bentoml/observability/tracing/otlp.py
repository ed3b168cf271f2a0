"""OTLP over HTTP, with the exporter of OpenTelemetry: for its collector, Jaeger, Tempo and many others.

The exporter reads the standard variables for what has no setting here: `OTEL_EXPORTER_OTLP_HEADERS`,
`_CERTIFICATE`, `_COMPRESSION`, `_TIMEOUT` and so on.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from bentoml.exceptions import MissingDependencyException

from .spans import ExportFailed, Span, TraceContext, shown

OWN_LOGGER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
SCOPE = "bentoml"


class OtlpExporter:
    """Sends spans to a collector.

    Args:
        url: the full address, such as `http://localhost:4318/v1/traces`.
        service: `service.name`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` names another.
        version: `service.version`.

    Raises:
        MissingDependencyException: the extra `tracing` is not installed.
    """

    def __init__(self, url: str, service: str, version: str) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415 - optional
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        except ModuleNotFoundError as err:
            if not (err.name or "").startswith("opentelemetry"):
                raise
            raise MissingDependencyException(
                f"Sending spans over OTLP needs the package '{err.name}'. "
                "Install it with: pip install 'bentoml[tracing]', or set tracing.type to zipkin."
            ) from err
        self.name = shown(url)
        self._api = trace
        self._make = ReadableSpan
        self._success = SpanExportResult.SUCCESS
        own = Resource.create({"service.name": service, "service.version": version})
        self._resource = own.merge(OTELResourceDetector().detect())
        self._scope = InstrumentationScope(SCOPE)
        self._query = urlsplit(url).query
        self._reason = _FirstMessage()
        self._exporter: Any = OTLPSpanExporter(endpoint=url)

    def export(self, spans: list[Span]) -> None:
        self._reason.text = ""
        if self._exporter.export([self._readable(span) for span in spans]) is not self._success:
            reason = self._reason.text.rstrip(".") or "it refused them"
            raise ExportFailed(reason.replace(self._query, "***") if self._query else reason)

    def close(self) -> None:
        self._exporter.shutdown()

    def _readable(self, span: Span) -> Any:
        api = self._api
        own = span.context
        parent = None
        if span.parent_id is not None:
            parent = self._context(TraceContext(own.trace_id, span.parent_id, own.state), span.is_server)
        failed = api.StatusCode.ERROR if span.error else api.StatusCode.UNSET
        return self._make(
            span.name,
            context=self._context(own, False),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            links=[api.Link(self._context(link, False)) for link in span.links],
            kind=api.SpanKind.SERVER if span.is_server else api.SpanKind.INTERNAL,
            status=api.Status(failed, span.error or None),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )

    def _context(self, context: TraceContext, is_remote: bool) -> Any:
        api = self._api
        state = api.TraceState.from_header([context.state]) if context.state else None
        flags = api.TraceFlags(api.TraceFlags.SAMPLED)
        return api.SpanContext(context.trace_id, context.span_id, is_remote, flags, state)


class _FirstMessage(logging.Handler):
    """Keeps the first complaint of the exporter, which is its only way to say what went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        exporter = logging.getLogger(OWN_LOGGER)
        exporter.addHandler(self)
        exporter.propagate = False  # our own log says it once

    def emit(self, record: logging.LogRecord) -> None:
        self.text = self.text or record.getMessage()
