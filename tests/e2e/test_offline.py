"""The example of offline runs: from Python, and the console session of its page."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs_blocks import blocks, console_session

from .processes import EXAMPLES, copy_example, environment, run


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_offline_example(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", copy_example("offline", tmp_path)
    run([sys.executable, "train.py"], folder, home)
    printed = run([sys.executable, "score.py"], folder, home)
    assert "899 rows in " in printed
    assert "of 898 digits were read as they were written" in printed
    assert "row 100 has no prediction: column 'pixel_0': 'smudged' is not a valid float64" in printed
    assert "the job is finished: 899 of 899 rows were done before" in printed
    _, *sessions = [
        block for block in blocks(EXAMPLES / "offline" / "README.md") if block.language == "console"
    ]
    for command, expected in [pair for block in sessions for pair in console_session(block)]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == (1 if command.startswith("bentoml run") else 0), done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout.startswith(expected)
    assert len((folder / "read.csv").read_text().splitlines()) == 899
    assert (folder / "read.jsonl.bad-rows.jsonl").read_text().count("smudged") == 2
