"""`bentoml check-batching` on a saved bundle: exit codes and output of the real command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import environment, run

SERVICE = """
import sys

import bentoml
from bentoml.adapters import JsonInput


class Checked(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True)
    def good(self, values):
        return [value * 2 for value in values]

    @bentoml.api(input=JsonInput(), batch=True)
    def bad(self, values):
        mean = sum(values) / len(values)
        return [value - mean for value in values]


if __name__ == "__main__":
    from checked import Checked as Saved

    Saved().save_to_dir(sys.argv[1])
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    (folder / "checked.py").write_text(SERVICE)
    (folder / "bundle").mkdir()
    run([sys.executable, "checked.py", str(folder / "bundle")], folder, folder / "home")
    return folder / "bundle"


@pytest.mark.parametrize(("api", "code", "verdict"), [("good", 0, "OK:"), ("bad", 1, "FAILED: 3 of 3")])
def test_exit_code_and_verdict(bundle: Path, tmp_path: Path, api: str, code: int, verdict: str) -> None:
    command = [sys.executable, "-m", "bentoml", "check-batching", str(bundle), api, "--input", "1", "2", "6"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), timeout=120)
    assert done.returncode == code, done.stderr
    assert verdict in done.stdout
