"""A service to save, and log lines in `caplog`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _log_lines(propagating_logger: None) -> None:
    """Every test of this area may read `caplog`."""


MODULE = """
import bentoml
from bentoml.adapters import JsonInput
from bentoml.service.artifacts.common import PickleArtifact


@bentoml.artifacts([PickleArtifact("offset")])
class {name}(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def predict(self, items, tasks):
        return [self.artifacts.offset + item for item in items]

    @bentoml.api(input=JsonInput())
    async def later(self, item, task):
        return {{"item": item, "discarded": task.is_discarded}}
"""


@pytest.fixture
def service_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A class in a module file of its own, and an empty home directory."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    name = f"Service{abs(hash(str(tmp_path)))}"
    (folder / f"{name.lower()}.py").write_text(MODULE.format(name=name))
    monkeypatch.syspath_prepend(str(folder))
    return getattr(importlib.import_module(name.lower()), name)
