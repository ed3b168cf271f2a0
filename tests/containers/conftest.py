from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bundle.projects import ECHO_SERVICE, Project


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def saved_echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("echo"))
    return project.write(**{"echo.py": ECHO_SERVICE}).save("echo", "Echo", pack="svc.set_version('2_A')").path


@pytest.fixture
def bundle(saved_echo: Path, tmp_path: Path) -> Path:
    """A bundle to change."""
    return Path(shutil.copytree(saved_echo, tmp_path / "bundle"))
