from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .projects import ECHO_SERVICE, Project, SavedBundle

MARKING_SERVICE = """
import os, pathlib
import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact, TextFileArtifact

pathlib.Path(os.environ.get("MARKER", os.devnull)).write_text("executed")

@bentoml.env(setup_sh="#!/bin/sh\\necho ready\\n")
@bentoml.artifacts([PickleArtifact("model"), TextFileArtifact("notes")])
class Marked(bentoml.BentoService):
    \"\"\"Leaves a mark when it is imported.

        Indented here.
    \"\"\"

    @bentoml.api(input=JsonInput(), batch=False)
    def predict(self, value):
        return [self.artifacts.model, value]
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    path = tmp_path / "project"
    path.mkdir()
    return Project(path)


@pytest.fixture(scope="session")
def saved_marked(tmp_path_factory: pytest.TempPathFactory) -> SavedBundle:
    """A bundle of a service that leaves a mark when its module is executed. Do not change it."""
    project = Project(tmp_path_factory.mktemp("marked"))
    project.write(**{"marked.py": MARKING_SERVICE})
    return project.save(
        "marked", "Marked", pack="svc.set_version('1.0_A'); svc.pack('model', [1]).pack('notes', 'hi')"
    )


@pytest.fixture(scope="session")
def saved_echo(tmp_path_factory: pytest.TempPathFactory) -> SavedBundle:
    """A bundle without artifacts. Do not change it."""
    project = Project(tmp_path_factory.mktemp("echo"))
    return project.write(**{"echo.py": ECHO_SERVICE}).save("echo", "Echo", pack="svc.set_version('2')")


@pytest.fixture
def marked(saved_marked: SavedBundle, tmp_path: Path) -> SavedBundle:
    """A copy to tamper with."""
    target = tmp_path / "marked-copy"
    shutil.copytree(saved_marked.path, target)
    return SavedBundle(target, "Marked", saved_marked.log)
