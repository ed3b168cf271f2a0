"""The interpreter with the real bentoml 0.13.1, for the opt-in tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .home import HERE

ROOT = HERE.parents[1]


def _python38() -> str | None:
    found = shutil.which("python3.8")
    if found:
        return found
    versions = sorted(Path.home().glob(".pyenv/versions/3.8.*/bin/python"))
    return str(versions[-1]) if versions else None


@pytest.fixture(scope="session")
def python013(request: pytest.FixtureRequest) -> str:
    """The interpreter with the real 0.13.1."""
    named = os.environ.get("BENTOML013_PYTHON")
    if named:
        return named
    if "real013" not in str(request.config.getoption("markexpr")):
        pytest.skip("opt-in: run with -m real013")
    target = ROOT / ".cache" / "venv013"
    interpreter = target / "bin" / "python"
    if not interpreter.exists():
        base = _python38()
        if base is None:
            pytest.fail("no Python 3.8: install one, or set BENTOML013_PYTHON to one with bentoml 0.13.1")
        subprocess.run([str(HERE / "make_real013.sh"), base, str(target)], check=True)
    return str(interpreter)
