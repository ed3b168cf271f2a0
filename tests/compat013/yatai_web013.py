"""Records what the web server of the real 0.13.1 answers under `/api/`.

BENTOML013_PYTHON=... python -m tests.compat013.yatai_web013     # needs Node, which that server runs on
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .home import HERE, install_home
from .record import real_env
from .wire import START_LIMIT_S

RECORDING = HERE / "recorded" / "yatai_web.json"
BENTO = {"bento_name": "WordCounter", "bento_version": "1.0.0"}
NOT_THERE = {"deployment_name": "nothing", "namespace": "dev"}
Step = tuple[str, str, dict[str, str] | None]
STEPS: tuple[Step, ...] = (
    ("GET", "/api/ListBento?limit=40", None),
    ("GET", "/api/ListBento?limit=2&offset=1", None),
    ("GET", "/api/ListBento?bento_name=IrisClassifier", None),
    ("GET", "/api/ListBento?limit=many", None),
    ("GET", "/api/GetBento?bento_name=WordCounter&bento_version=1.0.0", None),
    ("GET", "/api/GetBento?bento_name=Nothing&bento_version=1", None),
    ("GET", "/api/ListDeployments?limit=10", None),
    ("GET", "/api/GetDeployment?deployment_name=nothing&namespace=dev", None),
    ("POST", "/api/DeleteBento", BENTO),
    ("POST", "/api/DeleteBento", BENTO),
    ("POST", "/api/DeleteDeployment", NOT_THERE),
)


def ask(url: str, home: Path) -> list[dict[str, Any]]:
    """The answers to all steps; paths of the home are written as `<home>`."""
    found = []
    for method, path, body in STEPS:
        status, kind, text = _send(url, method, path, body)
        answer = json.loads(text.replace(str(home), "<home>"))
        found.append({"method": method, "path": path, "status": status, "type": kind, "answer": answer})
    return found


def _send(url: str, method: str, path: str, body: dict[str, str] | None) -> tuple[int, str, str]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(
        f"{url}{path}", data, {"content-type": "application/json"} if data else {}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.headers.get_content_type(), err.read().decode()


@contextmanager
def real_web_server(python: str, home: Path, ports: tuple[int, int]) -> Iterator[str]:
    """The real server over a home; gives the address of its pages."""
    program = [str(Path(python).with_name("bentoml")), "yatai-service-start"]
    options = ["--grpc-port", str(ports[0]), "--ui-port", str(ports[1])]
    log = home.with_name(f"{home.name}.log")
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*program, *options],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **real_env(home), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{ports[1]}"
    try:
        _wait(url, server, log)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # Node is a child of its own
        server.wait(timeout=60)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and server.poll() is None:
        try:
            if _send(url, "GET", "/api/ListBento?limit=1", None)[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8", "replace"))


def main() -> None:
    from .test_yatai013 import free_port

    with tempfile.TemporaryDirectory() as directory:
        home = install_home(Path(directory) / "home")
        with real_web_server(os.environ["BENTOML013_PYTHON"], home, (free_port(), free_port())) as url:
            RECORDING.write_text(re.sub(r"\s+\Z", "", json.dumps(ask(url, home), indent=1)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
