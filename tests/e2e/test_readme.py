"""The journey of the README, typed in as it stands."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.docs_blocks import ROOT, blocks, console_session

from .processes import run, serving


def test_readme_journey(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    home = tmp_path / "home"
    readme = blocks(ROOT / "README.md")
    for block in readme:
        if block.title:
            (tmp_path / block.title).write_text(block.code)
    session = console_session(next(block for block in readme if block.language == "console"))
    (save, said), (serve, _), (curl, answer) = session

    printed = run([sys.executable, *shlex.split(save)[1:]], tmp_path, home)
    assert printed.partition("'IrisClassifier:")[0][26:] == said.partition("'IrisClassifier:")[0][26:]
    with serving([*shlex.split(serve), "--port", "0"], tmp_path, home) as server:
        asked = curl.replace("localhost:5000", f"127.0.0.1:{server.port}").replace("curl ", "curl -sS ", 1)
        assert run(shlex.split(asked), tmp_path, home).strip() == answer.strip()
