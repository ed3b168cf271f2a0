"""The journey with scikit-learn: train, save, list, serve, ask with requests, curl and a browser."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.docs_blocks import ROOT, blocks, console_session

from .browser import page, send_from_swagger
from .processes import Server, copy_example, run, serving

pytestmark = pytest.mark.xdist_group("iris")
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """The example, trained and saved."""
    copied = copy_example("iris", tmp_path_factory.mktemp("iris"))
    (copied / "printed.txt").write_text(run([sys.executable, "train.py"], copied, home))
    return copied


@pytest.fixture(scope="module")
def server(folder: Path, home: Path) -> Iterator[Server]:
    with serving(["bentoml", "serve", "IrisClassifier:latest", "--port", "0"], folder, home) as started:
        yield started


def test_save_prints_where_the_bundle_lies(folder: Path, home: Path) -> None:
    printed = (folder / "printed.txt").read_text()
    [bundle] = (home / "repository" / "IrisClassifier").iterdir()
    line = printed.splitlines()[0]
    assert line.endswith(f" INFO - BentoService bundle 'IrisClassifier:{bundle.name}' saved to: {bundle}")
    for name in ("Dockerfile", "requirements.txt", "bentoml.yml", "environment.yml", "setup.py", "docs.json"):
        assert (bundle / name).is_file(), name
    requirements = (bundle / "requirements.txt").read_text()
    assert "scikit-learn==" in requirements
    assert "pandas==" in requirements


def test_list_shows_it(folder: Path, home: Path) -> None:
    listed = json.loads(run(["bentoml", "list", "-o", "json"], folder, home))
    assert "IrisClassifier" in json.dumps(listed)


def test_client_of_the_example(server: Server, folder: Path, home: Path) -> None:
    printed = run([sys.executable, "client.py", server.address], folder, home)
    assert "'species': 'setosa'" in printed
    assert printed.count("[0, 1, 2]") == 2


def test_curl(server: Server) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    header = "Content-Type: application/json"
    command = [curl, "-si", "--header", header, "--request", "POST", "--data", json.dumps(FLOWER)]
    done = subprocess.run(
        [*command, f"{server.address}/classify"], capture_output=True, text=True, timeout=60
    )
    head, _, body = done.stdout.partition("\n\n" if "\r" not in done.stdout else "\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK")
    assert "x-request-id:" in head.lower()
    assert json.loads(body)["species"] == "setosa"


def test_curl_of_the_quickstart(server: Server, folder: Path, home: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    sessions = [
        console_session(b) for b in blocks(ROOT / "docs" / "quickstart.md") if b.language == "console"
    ]
    command, shown = next(pair for session in sessions for pair in session if pair[0].startswith("curl"))
    command = command.replace("localhost:5000", f"127.0.0.1:{server.port}").replace("curl ", "curl -sS ", 1)
    answer, expected = json.loads(run(shlex.split(command), folder, home)), json.loads(shown)
    assert answer["species"] == expected["species"]
    assert answer["probability"] == pytest.approx(expected["probability"], abs=0.02)


def test_one_bad_request_fails_alone(server: Server) -> None:
    bad = requests.post(f"{server.address}/classify", data="{", timeout=30)
    assert bad.status_code == 400
    assert requests.post(f"{server.address}/classify", json=FLOWER, timeout=30).status_code == 200


def test_run_answers_like_the_server(server: Server, folder: Path, home: Path) -> None:
    command = ["bentoml", "run", "IrisClassifier:latest", "classify", "--input", json.dumps(FLOWER)]
    printed = run(command, folder, home).splitlines()[-1]
    assert json.loads(printed) == requests.post(f"{server.address}/classify", json=FLOWER, timeout=30).json()


@pytest.mark.browser
def test_prediction_is_sent_from_the_page(server: Server) -> None:
    with page() as opened:
        failed: list[str] = []
        outside: list[str] = []
        opened.on("requestfailed", lambda request: failed.append(request.url))
        opened.on(
            "request",
            lambda request: (
                None if request.url.startswith((server.address, "data:")) else outside.append(request.url)
            ),
        )
        opened.goto(f"{server.address}/")
        assert "IrisClassifier" in opened.title()
        status, answer = send_from_swagger(opened, "classify", json.dumps(FLOWER))
        assert status == "200"
        assert json.loads(answer)["species"] == "setosa"
        assert failed == []
        assert outside == [], "the page must not need anything from outside"


@pytest.mark.browser
def test_example_of_the_page_is_accepted(server: Server) -> None:
    with page() as opened:
        opened.goto(f"{server.address}/")
        status, answer = send_from_swagger(opened, "classify")
        assert status == "200"
        assert json.loads(answer)["species"] == "setosa"


@pytest.mark.browser
def test_readme_tab_shows_the_docstring(server: Server) -> None:
    with page() as opened:
        opened.goto(f"{server.address}/")
        opened.get_by_role("tab", name="ReadMe").click()
        opened.get_by_text("Tells three species of iris apart").first.wait_for()
