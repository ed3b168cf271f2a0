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
    versions = sorted(Path.home().glob(".pyenv/versions/3.8.*/bin/python"), reverse=True)
    for candidate in filter(None, (shutil.which("python3.8"), *map(str, versions))):
        probe = [candidate, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 8))"]
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return candidate  # pyenv's shim is there without a 3.8 behind it, too
    return None


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
