"""Opt-in (`-m real013`): a real bentoml 0.13.1 beside this library.

Needs a Python 3.8. `BENTOML013_PYTHON` names an interpreter that has bentoml 0.13.1; without it the
environment is made in `.cache/venv013` with the `python3.8` of the PATH or of pyenv.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bentoml.repository.local import LocalRepository

from .cases import http_cases
from .compare import canonical
from .home import HERE, move_rows
from .record import real_env, record_http, save_fixtures
from .rows import bytes_from_json, read_rows
from .test_recorded import check, environment
from .wire import Answer, send, serving

pytestmark = [pytest.mark.real013, pytest.mark.timeout(1200), pytest.mark.xdist_group("real013")]
# Values that the time or a hash seed puts into an answer; and pages whose text says nothing.
CHANGING = ("metadata", "metrics", "openapi", "status")


@pytest.fixture(scope="module")
def fresh_home(python013: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that the real 0.13.1 has just filled."""
    home = tmp_path_factory.mktemp("real013") / "home"
    home.mkdir()
    save_fixtures(python013, home)
    return home


@pytest.fixture(scope="module")
def our_home(fresh_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it for this library: 0.13 cannot open a `storage.db` that was upgraded."""
    home = tmp_path_factory.mktemp("ours013") / "home"
    shutil.copytree(fresh_home, home)
    move_rows(home / "storage.db", str(fresh_home), str(home))
    return home


@pytest.fixture(scope="module")
def fresh_rows(python013: str, fresh_home: Path) -> dict[str, list[dict[str, Any]]]:
    """What it answers to every case."""
    return record_http(python013, fresh_home, "serve-gunicorn", http_cases())


def test_fresh_bundles_are_listed(our_home: Path) -> None:
    names = [record.name for record in LocalRepository(our_home).list()]
    saved = [
        "IrisClassifier",
        "IrisClassifier",
        "NearestCentroid",
        "EchoService",
        "FrameService",
        "FileService",
    ]
    assert names == [*saved, "WordCounter"][::-1]


def test_committed_recordings_are_what_it_answers(fresh_rows: dict[str, list[dict[str, Any]]]) -> None:
    changed = []
    for tag, rows in fresh_rows.items():
        recorded = {row["id"]: row["answer"] for row in read_rows(tag)}
        for row in rows:
            then, now = recorded[row["id"]], row["answer"]
            bodies = [canonical(bytes_from_json(answer["body"])) for answer in (then, now)]
            same_body = row["compare"] in CHANGING or bodies[0] == bodies[1]
            if then["status"] != now["status"] or not same_body:
                changed.append(f"{row['id']}: {now} instead of {then}")
    assert changed == []


def test_fresh_bundles_are_served_with_the_same_answers(
    our_home: Path, fresh_rows: dict[str, list[dict[str, Any]]]
) -> None:
    for tag, rows in fresh_rows.items():
        command = [sys.executable, "-m", "bentoml", "serve", tag]
        with serving(command, environment(our_home), our_home / "ours.log") as port:

            def send_row(request: dict[str, Any], port: int = port) -> Answer:
                body = bytes_from_json(request["body"])
                return send(port, request["method"], request["path"], request["headers"], body)

            check(rows, send_row)


def test_a_bundle_saved_here_opens_there(python013: str, tmp_path: Path) -> None:
    """Its tools read our bentoml.yml, and a service without a framework even runs."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    subprocess.run(
        [sys.executable, "-c", _SAVE],
        env={**os.environ, **environment(ours)},
        cwd=HERE / "services",
        check=True,
    )
    bundle = str(ours / "repository" / "WordCounter" / "1.2.3")
    outputs = []
    for argv in (["info", bundle], ["run", bundle, "score", "--input", "good bad good"]):
        done = subprocess.run(
            [python013, "-m", "bentoml", *argv, "--quiet"],
            env={**os.environ, **real_env(theirs)},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.append(done.stdout)
    assert json.loads(outputs[0])["version"] == "1.2.3"
    assert outputs[1].splitlines()[-1] == "2"


_SAVE = """
from word_counter import WordCounter

service = WordCounter()
service.pack("weights", {"good": 2, "bad": -2})
service.pack("settings", {})
service.pack("banner", "")
service.pack("words", ["good"])
service.save(version="1.2.3")
"""
