"""Which collector the settings name, if any."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bentoml.exceptions import BentoMLConfigException

from .propagation import Format
from .spans import Exporter

if TYPE_CHECKING:
    from bentoml.settings import TracingSettings

logger = logging.getLogger("bentoml.tracing")

TRACES_PATH = "/v1/traces"
OTLP_PORT = 4318
AGENT_PORTS = (5775, 5778, 6831, 6832)
FORMATS: dict[str, Format] = {"zipkin": "b3", "jaeger": "jaeger", "otlp": "w3c"}


def make_exporter(settings: TracingSettings, service: str, version: str) -> Exporter | None:
    """The exporter for the configured collector; None when tracing is off.

    Args:
        service: name of the bundle's service.
        version: version of the bundle.

    Raises:
        BentoMLConfigException: an address is none.
        MissingDependencyException: a package is missing; the text names the extra.
    """
    url = collector_url(settings)
    if url is None:
        return None
    name = f"BentoService.{service}"
    if settings.type == "zipkin":
        from .zipkin import ZipkinExporter  # noqa: PLC0415

        return ZipkinExporter(url, name)
    from .otlp import OtlpExporter  # noqa: PLC0415 - needs packages that are optional

    return OtlpExporter(url, name, version)


def collector_url(settings: TracingSettings) -> str | None:
    """Where spans are sent; None when nothing says so."""
    if settings.type == "zipkin":
        return settings.zipkin_url and _checked(settings.zipkin_url, "tracing.zipkin.url")
    if settings.type == "jaeger":
        return _jaeger_url(settings)
    return _otlp_url(settings) if settings.type == "otlp" else None


def _jaeger_url(settings: TracingSettings) -> str | None:
    """Jaeger's OTLP port: its agent, to which 0.13 sent UDP, is no longer a part of Jaeger."""
    if not settings.jaeger_address:
        return None
    port = settings.jaeger_port or OTLP_PORT
    if port in AGENT_PORTS:
        logger.warning(
            "tracing.jaeger.port %d was a port of the Jaeger agent, which Jaeger no longer has. Spans go "
            "to its OTLP port, %d; set tracing.jaeger.port to that, or to another that takes OTLP over HTTP.",
            port,
            OTLP_PORT,
        )
        port = OTLP_PORT
    host = settings.jaeger_address
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return _checked(f"http://{host}:{port}{TRACES_PATH}", "tracing.jaeger.address")


def _otlp_url(settings: TracingSettings) -> str | None:
    """Our own setting, or the standard variables of OpenTelemetry."""
    full = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    if settings.otlp_url:
        url = _checked(settings.otlp_url, "tracing.otlp.url")
        return url.rstrip("/") + TRACES_PATH if urlsplit(url).path in ("", "/") else url
    if full:
        return _checked(full, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return _checked(base, "OTEL_EXPORTER_OTLP_ENDPOINT").rstrip("/") + TRACES_PATH if base else None


def _checked(url: str, source: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        named = parts.username is not None or parts.password is not None
    except ValueError:
        usable = named = False
    if named:
        raise BentoMLConfigException(
            f"{source} holds a user name or a password, which logs would show; "
            "for OTLP, OTEL_EXPORTER_OTLP_HEADERS takes an Authorization header"
        )
    if not usable:
        raise BentoMLConfigException(
            f"{source} is '{url}', which is no address of a collector; "
            "it looks like http://localhost:4318/v1/traces or http://localhost:9411/api/v2/spans"
        )
    return url
