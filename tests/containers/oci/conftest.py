from __future__ import annotations

from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.environments.wheelhouse import made_up_wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small wheel in the place of everything that this library needs, good for every platform."""
    folder = tmp_path_factory.mktemp("wheels")
    for text in requires("bentoml") or ():
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            made_up_wheel(folder, one.name, "99.0", **{one.name.replace("-", "_"): "x = 1\n"})
    return folder
