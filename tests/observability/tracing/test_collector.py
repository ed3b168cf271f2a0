"""Where spans go: by configuration file, by environment variable, by OpenTelemetry's own variables."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from bentoml.exceptions import BentoMLConfigException, MissingDependencyException
from bentoml.observability.tracing.collector import collector_url, make_exporter
from bentoml.settings import load_settings


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "BENTOML_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def url_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str = "", **env: str) -> str | None:
    path = tmp_path / "config.yml"
    path.write_text(text)
    monkeypatch.setenv("BENTOML_CONFIG", str(path))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return collector_url(load_settings().tracing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("tracing: {type: null, zipkin: {url: 'http://z/api/v2/spans'}}", None),
        ("tracing: {zipkin: {url: 'http://z:9411/api/v2/spans'}}", "http://z:9411/api/v2/spans"),
        ("tracing: {type: zipkin, jaeger: {address: j, port: 1}}", None),
        ("tracing: {type: jaeger, zipkin: {url: 'http://z'}}", None),
        ("tracing: {type: jaeger, jaeger: {address: j}}", "http://j:4318/v1/traces"),
        ("tracing: {type: jaeger, jaeger: {address: '::1', port: 14318}}", "http://[::1]:14318/v1/traces"),
        ("tracing: {type: jaeger, jaeger: {port: 14318}}", None),
        ("tracing: {type: otlp}", None),
        ("tracing: {type: otlp, otlp: {url: 'https://c:4318'}}", "https://c:4318/v1/traces"),
        ("tracing: {type: otlp, otlp: {url: 'https://c:4318/'}}", "https://c:4318/v1/traces"),
        ("tracing: {type: otlp, otlp: {url: 'https://c/own/path'}}", "https://c/own/path"),
    ],
)
def test_keys_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, expected: str | None
) -> None:
    assert url_of(monkeypatch, tmp_path, text) == expected


def test_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert url_of(monkeypatch, tmp_path, BENTOML_TRACING_ZIPKIN_URL="http://z/s") == "http://z/s"
    assert (
        url_of(
            monkeypatch,
            tmp_path,
            BENTOML_TRACING_TYPE="jaeger",
            BENTOML_TRACING_JAEGER_ADDRESS="j",
            BENTOML_TRACING_JAEGER_PORT="14318",
        )
        == "http://j:14318/v1/traces"
    )
    otlp = {"BENTOML_TRACING_TYPE": "otlp", "BENTOML_TRACING_OTLP_URL": "http://c:1"}
    assert url_of(monkeypatch, tmp_path, **otlp) == "http://c:1/v1/traces"


def test_the_sample_rate_is_that_of_0_13_and_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().tracing.sample_rate == 0.001
    monkeypatch.setenv("BENTOML_TRACING_SAMPLE_RATE", "0.25")
    assert load_settings().tracing.sample_rate == 0.25
    monkeypatch.setenv("BENTOML_TRACING_SAMPLE_RATE", "1.5")
    with pytest.raises(BentoMLConfigException, match=r"BENTOML_TRACING_SAMPLE_RATE is '1\.5'"):
        load_settings()


def test_opentelemetrys_variables_name_the_otlp_collector(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "tracing: {type: otlp}"
    base = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://base:4318/otlp/"}
    assert url_of(monkeypatch, tmp_path, text, **base) == "http://base:4318/otlp/v1/traces"
    full = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://full/as-it-is"}
    assert url_of(monkeypatch, tmp_path, text, **full) == "http://full/as-it-is"
    own = "tracing: {type: otlp, otlp: {url: 'http://own/v1/traces'}}"
    assert url_of(monkeypatch, tmp_path, own) == "http://own/v1/traces"
    assert url_of(monkeypatch, tmp_path, "tracing: {type: zipkin}") is None


@pytest.mark.parametrize("port", [5775, 5778, 6831, 6832])
def test_a_port_of_the_jaeger_agent_becomes_the_otlp_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, port: int
) -> None:
    monkeypatch.setattr(logging.getLogger("bentoml"), "propagate", True)
    text = f"tracing: {{type: jaeger, jaeger: {{address: j, port: {port}}}}}"
    assert url_of(monkeypatch, tmp_path, text) == "http://j:4318/v1/traces"
    assert f"tracing.jaeger.port {port}" in caplog.text and "4318" in caplog.text


@pytest.mark.parametrize(
    "url",
    ["localhost:9411", "ftp://z/x", "http://", "http:///x", "http://z:99999/x", "http://z:x/", "/v1/traces"],
)
def test_an_address_that_is_none_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    with pytest.raises(BentoMLConfigException, match=r"tracing\.zipkin\.url is"):
        url_of(monkeypatch, tmp_path, f"tracing: {{zipkin: {{url: '{url}'}}}}")
    with pytest.raises(BentoMLConfigException, match=r"tracing\.otlp\.url is"):
        url_of(monkeypatch, tmp_path, f"tracing: {{type: otlp, otlp: {{url: '{url}'}}}}")


def test_a_password_in_an_address_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(BentoMLConfigException) as caught:
        url_of(monkeypatch, tmp_path, "tracing: {zipkin: {url: 'http://me:hush@z/api/v2/spans'}}")
    assert "tracing.zipkin.url" in str(caught.value) and "hush" not in str(caught.value)


@pytest.mark.parametrize("kind", ["otlp", "jaeger"])
def test_a_missing_package_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "opentelemetry":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)
    settings = load_settings(
        tracing__type=kind, tracing__otlp_url="http://c:1", tracing__jaeger_address="j"
    ).tracing
    with pytest.raises(MissingDependencyException, match=r"pip install 'bentoml\[tracing\]'"):
        make_exporter(settings, "S", "1")


def test_zipkin_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    settings = load_settings(tracing__zipkin_url="http://z:9411/api/v2/spans").tracing
    exporter = make_exporter(settings, "S", "1")
    assert exporter is not None and exporter.name == "http://z:9411/api/v2/spans"
