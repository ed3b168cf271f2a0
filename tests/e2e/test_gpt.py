"""The journey with transformers, word for word as a user types it, on the default port where it is free."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from .browser import page, send_from_swagger
from .processes import Server, copy_example, port_is_free, run, serving

pytestmark = [
    pytest.mark.xdist_group("port5000"),
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed"),
    pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed"),
]
SAVED = re.compile(
    r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] INFO - "
    r"BentoService bundle 'TransformerService:(\d{14}_[0-9A-F]{6})' saved to: (.+)$",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    copied = copy_example("gpt", tmp_path_factory.mktemp("gpt"))
    (copied / "printed.txt").write_text(run([sys.executable, "main.py"], copied, home))
    return copied


@pytest.fixture(scope="module")
def server(folder: Path, home: Path) -> Iterator[Server]:
    wished = [] if port_is_free(5000) else ["--port", "0"]
    with serving(["bentoml", "serve", "TransformerService:latest", *wished], folder, home) as started:
        assert wished or started.port == 5000
        yield started


def test_save_prints_the_line_users_know(folder: Path, home: Path) -> None:
    found = SAVED.search((folder / "printed.txt").read_text())
    assert found is not None, (folder / "printed.txt").read_text()
    bundle = home / "repository" / "TransformerService" / found[1]
    assert Path(found[2]) == bundle
    requirements = (bundle / "requirements.txt").read_text()
    assert "transformers==" in requirements
    assert "torch==" in requirements
    assert (bundle / "Dockerfile").is_file()
    assert (bundle / "TransformerService" / "artifacts" / "gptModel").is_dir()


def test_curl_gets_the_text_as_a_json_string(server: Server) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    done = subprocess.run(
        [curl, "-si", "--header", "Content-Type: application/json", "--request", "POST",
         "--data", '{"text": "my name is"}', f"http://localhost:{server.port}/predict"],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    status, _, rest = done.stdout.partition("\n")
    assert status.strip() == "HTTP/1.1 200 OK", done.stdout + done.stderr
    assert "content-type: application/json" in rest.lower()
    assert json.loads(rest.replace("\r", "").partition("\n\n")[2]).startswith("my name is")


def test_requests_gets_the_same_text(server: Server) -> None:
    texts = {
        requests.post(
            f"http://127.0.0.1:{server.port}/predict", json={"text": "my name is"}, timeout=120
        ).text
        for _ in range(2)
    }
    assert len(texts) == 1
    assert json.loads(texts.pop()).startswith("my name is")


@pytest.mark.browser
def test_prediction_is_sent_from_the_page(server: Server) -> None:
    with page() as opened:
        opened.goto(f"{server.address}/")
        status, answer = send_from_swagger(opened, "predict", '{"text": "my name is"}')
        assert status == "200"
        assert "my name is" in answer
