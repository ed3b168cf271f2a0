from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundle.projects import Project

from .wheelhouse import Index, made_up_wheel, needed_distributions, package_index, rebuild_wheel

SERVICE = """
import bentoml
from bentoml.adapters import JsonInput

@bentoml.env(pip_packages=["greeting==1.5", "only-in-the-bundle; python_version >= '3.0'"])
class Hello(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        import greeting
        return [greeting.TEXT, value, bentoml.__file__]
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENTOML_CONFIG", raising=False)
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty wheels of what the library needs, two made-up packages, and a foreign bentoml."""
    folder = tmp_path_factory.mktemp("wheels")
    for distribution in needed_distributions(["bentoml"]):
        made_up_wheel(folder, distribution.metadata["Name"], distribution.version)
    return add_made_up_packages(folder)


@pytest.fixture(scope="session")
def real_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the real packages, so that the library runs."""
    folder = tmp_path_factory.mktemp("real-wheels")
    for distribution in needed_distributions(["bentoml"]):
        rebuild_wheel(distribution, folder)
    return add_made_up_packages(folder)


def add_made_up_packages(folder: Path) -> Path:
    made_up_wheel(folder, "greeting", "1.5", greeting="TEXT = 'from 1.5'")
    made_up_wheel(folder, "greeting", "2.0", greeting="TEXT = 'from 2.0'")
    made_up_wheel(folder, "only-in-the-bundle", "3.1")
    made_up_wheel(folder, "bentoml", "99.0", bentoml="raise SystemExit('the foreign bentoml was imported')")
    return folder


@pytest.fixture
def index(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """A package index with all of them, and the only one that this process and its children know."""
    with package_index(wheels, tmp_path / "index") as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        yield running


@pytest.fixture(scope="session")
def saved_hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("hello"))
    project.write(**{"hello.py": SERVICE})
    return project.save("hello", "Hello", pack="svc.set_version('1')").path


@pytest.fixture
def hello(saved_hello: Path, tmp_path: Path) -> Path:
    """A bundle whose requirements are on the index only; a copy to change."""
    target = tmp_path / "hello"
    shutil.copytree(saved_hello, target)
    return target
