"""`/api/*` field by field beside what the web server of the real 0.13.1 answered over the same home."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc", reason="the extra `yatai` is not installed")

from bentoml.settings import load_settings
from bentoml.yatai.registry import open_registry
from bentoml.yatai.server import YataiServer

from .home import install_home
from .test_yatai013 import free_port
from .yatai_web013 import RECORDING, ask, real_web_server

# What this line adds to a bundle, and to errors.
ADDED = {"details", "updated_at", "code"}
# Errors are worded differently where the reader of a request says what is wrong with it.
REWORDED = {"/api/ListBento?limit=many", "/api/DeleteDeployment", "/api/GetDeployment"}


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What this line's server answers."""
    home = install_home(tmp_path / "home")
    monkeypatch.setenv("BENTOML_HOME", str(home))
    settings = load_settings(yatai__grpc_port=0, yatai__ui_port=0)
    server = YataiServer(open_registry(settings), settings, auth_required=False)
    thread = threading.Thread(target=server.run_web, daemon=True)
    server.start()
    thread.start()
    yield ask(f"http://127.0.0.1:{server.ui_port}", home)
    server.stop(0.2)
    thread.join(timeout=20)


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Every field that is not the same, by its path."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted((ours.keys() - ADDED) | theirs.keys())
        return [
            text for key in keys for text in differences(ours.get(key), theirs.get(key), f"{where}.{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [text for number, pair in pairs for text in differences(*pair, f"{where}[{number}]")]
    return [] if (type(ours), ours) == (type(theirs), theirs) else [f"{where}: {ours!r}, not {theirs!r}"]


def test_answers_are_those_of_013_field_by_field(answers: list[dict[str, Any]]) -> None:
    recorded = json.loads(RECORDING.read_text("utf-8"))
    assert len(answers) == len(recorded)
    for ours, theirs in zip(answers, recorded, strict=True):
        if ours["path"].startswith(tuple(REWORDED)) and theirs["status"] == 400:
            assert ours["answer"].pop("error") and theirs["answer"].pop("error")
        assert differences(ours, theirs) == [], ours["path"]


def test_recording_has_what_it_is_for() -> None:
    """Times, dictionaries, labels, and the three kinds of an answer."""
    recorded = json.loads(RECORDING.read_text("utf-8"))
    text = json.dumps(recorded)
    for part in ('"seconds": "', '"nanos": ', '"numberValue"', '"labels": {', '"error": '):
        assert part in text, part
    assert {step["status"] for step in recorded} == {200, 400}


@pytest.mark.real013
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("real013")
def test_recording_is_what_the_real_one_answers(python013: str, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("the web server of 0.13 needs Node")
    home = install_home(tmp_path / "home")
    with real_web_server(python013, home, (free_port(), free_port())) as url:
        found = ask(url, home)
    assert differences(found, json.loads(RECORDING.read_text("utf-8"))) == []
