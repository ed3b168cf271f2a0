"""Settings: precedence, 0.13's file keys and variables, and errors that name the culprit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from bentoml.exceptions import BentoMLConfigException
from bentoml.settings import home, load_settings
from bentoml.settings.model import Settings
from bentoml.settings.options import iter_options

FULL_013_FILE = """
bento_bundle:
  deployment_version: null
  default_docker_base_image: python:3.11-slim
bento_server:
  port: 5001
  workers: null
  timeout: 90
  max_request_size: 1048576
  microbatch: {enabled: true, workers: 2, max_batch_size: 500, max_latency: 300}
  ngrok: {enabled: false}
  swagger: {enabled: false}
  metrics: {enabled: true, namespace: ACME}
  feedback: {enabled: false}
  logging: {level: WARNING}
  cors:
    enabled: true
    access_control_allow_origin: https://a.example
    access_control_allow_credentials: true
    access_control_allow_methods: [GET, POST]
    access_control_allow_headers: "X-A, X-B"
    access_control_max_age: 60
    access_control_expose_headers: X-Request-Id
logging:
  level: ERROR
  console: {enabled: false}
  file: {enabled: true, directory: /var/log/models}
  advanced: {enabled: false, config: {version: 1, loggers: {x: {level: INFO}}}}
tracing:
  type: jaeger
  zipkin: {url: null}
  jaeger: {address: 127.0.0.1, port: 6831}
adapters:
  image_input: {default_extensions: [.gif, .jpg]}
yatai:
  remote:
    url: null
    access_token: t
    access_token_header: x-token
    tls: {root_ca_cert: null, client_key: null, client_cert: null, client_certificate_file: null}
  repository:
    type: file_system
    file_system: {directory: null}
    s3: {url: null, endpoint_url: null, signature_version: s3v4, expiration: 3000}
    gcs: {url: null, expiration: 3000}
  database: {url: null}
  namespace: dev
  logging: {path: null}
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BENTOML_"):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write(text: str, name: str = "config.yml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        monkeypatch.setenv("BENTOML_CONFIG", str(path))
        return path

    return write


def test_defaults_are_those_of_013() -> None:
    settings = load_settings()
    server = settings.server
    assert (server.host, server.port, server.workers, server.timeout_s) == ("0.0.0.0", 5000, 1, 60)
    assert server.max_request_size == 20 * 1024 * 1024
    assert (server.max_batch_size, server.max_latency_ms) == (None, None)
    assert (settings.swagger_enabled, settings.metrics.enabled, settings.feedback.enabled) == (True,) * 3
    assert settings.metrics.namespace == "BENTOML"
    assert settings.logging.level == "INFO"
    assert settings.adapters.image_extensions == (".jpg", ".png", ".jpeg", ".tiff", ".webp", ".bmp")


def test_limits_are_those_of_the_contract() -> None:
    settings = load_settings()
    server, limits = settings.server, settings.limits
    assert (server.queue_limit, server.grace_s, server.keep_alive_s) == (1024, 30, 75)
    assert (server.header_timeout_s, server.body_timeout_s) == (10, 60)
    assert (server.max_target_bytes, server.max_header_line_bytes) == (8192, 8192)
    assert (server.max_header_bytes, server.max_headers, server.max_chunks) == (32768, 100, 65536)
    assert (limits.json_depth, limits.int_digits, limits.image_pixels) == (128, 4300, 89_478_485)


def test_every_key_of_a_013_file_is_read(config) -> None:
    config(FULL_013_FILE)
    settings = load_settings()
    server = settings.server
    assert (server.port, server.timeout_s, server.max_request_size) == (5001, 90, 1048576)
    assert server.workers == (os.cpu_count() or 1) // 2 + 1
    assert (server.microbatch_workers, server.max_batch_size, server.max_latency_ms) == (2, 500, 300)
    assert (settings.swagger_enabled, settings.feedback.enabled) == (False, False)
    assert (settings.metrics.namespace, server.log_level) == ("ACME", "WARNING")
    cors = settings.cors
    assert (cors.allow_origin, cors.allow_methods) == (("https://a.example",), ("GET", "POST"))
    assert (cors.allow_headers, cors.max_age, cors.expose_headers) == (("X-A", "X-B"), 60, ("X-Request-Id",))
    assert (settings.logging.level, settings.logging.console_enabled) == ("ERROR", False)
    assert settings.logging.directory == Path("/var/log/models")
    assert settings.logging.advanced_config == {"version": 1, "loggers": {"x": {"level": "INFO"}}}
    assert (settings.tracing.type, settings.tracing.jaeger_port) == ("jaeger", 6831)
    assert settings.adapters.image_extensions[-1] == ".gif"
    assert len(settings.adapters.image_extensions) == 7
    assert (settings.yatai.access_token, settings.yatai.access_token_header) == ("t", "x-token")
    assert settings.bundle.default_docker_base_image == "python:3.11-slim"


def test_flag_beats_variable_beats_file_beats_default(config, monkeypatch) -> None:
    config("bento_server: {port: 1001, timeout: 7}")
    assert load_settings().server.port == 1001
    monkeypatch.setenv("BENTOML_PORT", "1002")
    assert load_settings().server.port == 1002
    settings = load_settings(port=1003, workers=None, logging__level="debug", swagger_enabled=False)
    assert (settings.server.port, settings.server.timeout_s, settings.server.workers) == (1003, 7, 1)
    assert (settings.logging.level, settings.swagger_enabled) == ("DEBUG", False)


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("BENTOML_PORT", "80", "server.port", 80),
        ("BENTOML_GUNICORN_WORKERS", "3", "server.workers", 3),
        ("BENTOML_MICROBATCH_WORKERS", "2", "server.microbatch_workers", 2),
        ("BENTOML_MB_MAX_BATCH_SIZE", "7", "server.max_batch_size", 7),
        ("BENTOML_MB_MAX_LATENCY", "250", "server.max_latency_ms", 250),
        ("BENTOML_ENABLE_MICROBATCH", "true", "server.microbatch_enabled", True),
        ("BENTOML_ENABLE_SWAGGER", "false", "swagger_enabled", False),
        ("BENTOML_ENABLE_NGROK", "true", "server.ngrok_enabled", True),
        ("BENTOML_DEBUG", "true", "log_level", "DEBUG"),
        ("BENTOML_DO_NOT_TRACK", "true", "do_not_track", True),
        ("BENTOML_GUNICORN_TIMEOUT", "99", "server.timeout_s", 99.0),
        ("BENTOML_DB_URL", "sqlite:///x.db", "yatai.database_url", "sqlite:///x.db"),
        ("BENTOML_YATAI_REPOSITORY_TYPE", "s3", "yatai.repository_type", "s3"),
        ("BENTOML_LOG_FILE", "false", "logging.file_enabled", False),
    ],
)
def test_environment_variables(monkeypatch, variable: str, text: str, path: str, value: object) -> None:
    monkeypatch.setenv(variable, text)
    found: object = load_settings()
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


def test_unknown_key_names_itself_and_its_neighbour(config) -> None:
    path = config("bento_server: {wokers: 2}")
    with pytest.raises(BentoMLConfigException) as err:
        load_settings()
    text = str(err.value)
    assert "'bento_server.wokers'" in text
    assert "'bento_server.workers'" in text
    assert str(path) in text


@pytest.mark.parametrize("text", ["bento_sever: {}", "bento_server: {x: {y: {}}}", "nothing: null"])
def test_unknown_sections_are_errors(config, text: str) -> None:
    config(text)
    with pytest.raises(BentoMLConfigException, match="Unknown key"):
        load_settings()


@pytest.mark.parametrize("text", ["", "bento_server:", "bento_server: {}", "logging: {file: }"])
def test_empty_sections_are_fine(config, text: str) -> None:
    config(text)
    assert load_settings().server.port == 5000


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("bento_server: {port: abc}", "bento_server.port"),
        ("bento_server: {workers: 0}", "bento_server.workers"),
        ("bento_server: {timeout: -1}", "bento_server.timeout"),
        ("bento_server: {timeout: .inf}", "bento_server.timeout"),
        ("logging: {level: LOUD}", "logging.level"),
        ("bento_server: {port: {a: 1}}", "bento_server.port"),
        ("bento_server: 5", "server"),
        ("bento_server: {cors: {enabled: true}}", "access_control_allow_origin"),
        ("bento_server: {prefix: 'a b'}", "bento_server.prefix"),
        ("[1]", "list"),
        ("a: [", "not valid YAML"),
    ],
)
def test_bad_values_name_the_key(config, text: str, culprit: str) -> None:
    config(text)
    with pytest.raises(BentoMLConfigException, match=culprit):
        load_settings()


def test_bad_variable_and_bad_flag_are_named(monkeypatch) -> None:
    with pytest.raises(BentoMLConfigException, match="--port"):
        load_settings(port=70000)
    monkeypatch.setenv("BENTOML_PORT", "many")
    with pytest.raises(BentoMLConfigException, match="BENTOML_PORT is 'many'"):
        load_settings()


def test_unknown_override_suggests_a_name() -> None:
    with pytest.raises(BentoMLConfigException, match="Did you mean 'workers'"):
        load_settings(worker=2)


def test_missing_file_and_wrong_extension(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENTOML_CONFIG", str(tmp_path / "gone.yml"))
    with pytest.raises(BentoMLConfigException, match=r"Config file .*gone.yml not found"):
        load_settings()
    monkeypatch.setenv("BENTOML_CONFIG", str(tmp_path / "old.cfg"))
    with pytest.raises(BentoMLConfigException, match=r"no \.yml file"):
        load_settings()


def test_settings_never_change() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.server.port = 1
    with pytest.raises(ValidationError):
        settings.debug = True


def test_wildcard_origin_with_credentials_is_refused(config) -> None:
    config(
        "bento_server: {cors: {enabled: true, access_control_allow_origin: '*', "
        "access_control_allow_credentials: true}}"
    )
    with pytest.raises(BentoMLConfigException, match="every origin"):
        load_settings()


@pytest.mark.parametrize(("given", "kept"), [("", ""), ("/", ""), ("a", "/a"), ("/a/b/", "/a/b")])
def test_prefix_is_normalised(given: str, kept: str) -> None:
    assert load_settings(prefix=given).server.prefix == kept


def test_home_follows_the_variable_and_expands_it(monkeypatch, tmp_path: Path) -> None:
    assert home() == Path.home() / "bentoml"
    monkeypatch.setenv("BASE", str(tmp_path))
    monkeypatch.setenv("BENTOML_HOME", "$BASE/h")
    assert home() == tmp_path / "h"
    assert load_settings().logging.directory == tmp_path / "h" / "logs"


def test_keys_and_variables_are_unique_and_described() -> None:
    options = list(iter_options(Settings))
    keys = [o.key for o in options if o.key]
    variables = [name for o in options for name in o.env]
    assert len(keys) == len(set(keys))
    assert len(variables) == len(set(variables))
    assert all(o.help.endswith(".") for o in options)
    assert all(o.key or o.env for o in options)


def test_home_needs_no_third_party_package() -> None:
    code = (
        "import sys; from bentoml.settings import home; home(); "
        "print([m for m in sys.modules if 'pydantic' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
