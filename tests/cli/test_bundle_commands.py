"""run, info, open-api-spec and serve on a really saved service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]

SERVICE = """
import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact

@bentoml.artifacts([PickleArtifact("factor")])
class Doubler(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def predict(self, values):
        return [value * self.artifacts.factor for value in values]

if __name__ == "__main__":
    service = Doubler()
    service.pack("factor", 2)
    print(service.save(version="1.0", labels={"env": "prod"}))
"""


def python(*arguments: str, home: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "BENTOML_HOME": str(home)},
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the bundle Doubler:1.0, saved by a script as users do."""
    root = tmp_path_factory.mktemp("saved")
    (root / "doubler.py").write_text(SERVICE)
    done = python("doubler.py", home=root / "home", cwd=root)
    assert done.returncode == 0, done.stderr
    line, path = done.stdout.splitlines()[-2:]
    assert line.endswith(f"INFO - BentoService bundle 'Doubler:1.0' saved to: {path}")
    assert path == str(root / "home/repository/Doubler/1.0")
    return root / "home"


def bentoml(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "bentoml", *arguments, home=home, cwd=home)


def test_run_prints_one_line_per_item(saved: Path) -> None:
    done = bentoml("run", "Doubler:latest", "predict", "--input", "4", '"ab"', home=saved)
    assert (done.returncode, done.stdout) == (0, '8\n"abab"\n')
    done = bentoml("run", str(saved / "repository/Doubler/1.0"), "predict", "--input", "4", home=saved)
    assert (done.returncode, done.stdout) == (0, "8\n")


def test_run_exit_codes(saved: Path) -> None:
    assert bentoml("run", "Doubler:latest", "predict", "--input", "{", home=saved).returncode == 1
    assert bentoml("run", "Doubler:latest", "predict", home=saved).returncode == 2
    unknown = bentoml("run", "Doubler:latest", "nope", "--input", "1", home=saved)
    assert unknown.returncode == 1
    assert "bentoml-cli run failed: Can't find API 'nope' in service 'Doubler'" in unknown.stderr


def test_info_is_json_in_snake_case(saved: Path) -> None:
    info = json.loads(bentoml("info", "Doubler:1.0", home=saved).stdout)
    assert (info["name"], info["version"]) == ("Doubler", "1.0")
    assert info["apis"][0]["input_type"] == "JsonInput"
    assert info["artifacts"][0]["artifact_type"] == "PickleArtifact"


def test_open_api_spec_is_json(saved: Path) -> None:
    document: dict[str, Any] = json.loads(bentoml("open-api-spec", "Doubler:1.0", home=saved).stdout)
    assert document["openapi"].startswith("3.0")
    assert "/predict" in document["paths"]


@pytest.mark.parametrize("command", ["serve", "serve-gunicorn"])
def test_serve_answers_and_stops(saved: Path, command: str) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bentoml",
            command,
            "Doubler:latest",
            "--port",
            str(port),
            "--host",
            "127.0.0.1",
        ],
        env={**os.environ, "BENTOML_HOME": str(saved)},
        stdout=subprocess.DEVNULL,
    )
    try:
        assert wait_for_answer(port, server) == b"8"
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def wait_for_answer(port: int, server: subprocess.Popen[bytes]) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", b"4", {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer")


def test_F36_serving_a_missing_bundle_is_one_line(run: Run) -> None:
    result = run("serve", "Doubler:latest")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_serve_options_become_settings(run: Run, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        "bentoml.server.run.serve",
        lambda path, settings, reload, ends_process: seen.append((path, settings, reload)),
    )
    bundle = str(saved / "repository/Doubler/1.0")
    result = run(
        *(
            "serve",
            bundle,
            "--port",
            "7000",
            "--workers",
            "3",
            "--timeout",
            "2.5",
            "--grace",
            "1",
            "--reload",
        ),
        *("--mb-max-batch-size", "9", "--mb-max-latency", "70", "--disable-swagger", "--prefix", "/a"),
        *("--host", "127.0.0.1", "--enable-microbatch", "--quiet"),
    )
    assert result.exit_code == 0, result.output
    [(path, settings, reload)] = seen
    server = settings.server
    assert (str(path), reload, settings.swagger_enabled) == (bundle, True, False)
    assert (server.port, server.workers, server.timeout_s, server.grace_s) == (7000, 3, 2.5, 1.0)
    assert (server.max_batch_size, server.max_latency_ms, server.prefix) == (9, 70, "/a")
    assert (server.host, settings.logging.level) == ("127.0.0.1", "ERROR")


def test_serve_reads_the_variables_of_013(run: Run, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("bentoml.server.run.serve", lambda path, settings, **_: seen.append(settings))
    monkeypatch.setenv("BENTOML_PORT", "7100")
    monkeypatch.setenv("BENTOML_GUNICORN_WORKERS", "2")
    monkeypatch.setenv("BENTOML_MB_MAX_LATENCY", "55")
    monkeypatch.setenv("BENTOML_ENABLE_MICROBATCH", "true")
    result = run("serve-gunicorn", str(saved / "repository/Doubler/1.0"), "--microbatch-workers", "2")
    assert result.exit_code == 0, result.output
    assert "is deprecated and has no effect" in result.output
    [settings] = seen
    assert (settings.server.port, settings.server.workers, settings.server.max_latency_ms) == (7100, 2, 55)


def test_ngrok_is_refused_with_the_alternative(run: Run, saved: Path) -> None:
    result = run("serve", str(saved / "repository/Doubler/1.0"), "--run-with-ngrok")
    assert result.exit_code == 1
    assert "Run `ngrok http PORT` beside the server." in result.stderr
