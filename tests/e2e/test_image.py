"""The image example: pictures as raw bodies and as form uploads."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .processes import copy_example, run, serving


@pytest.mark.skipif(find_spec("PIL") is None, reason="Pillow is not installed")
def test_image_example(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = copy_example("image", tmp_path)
    run([sys.executable, "train.py"], folder, home)
    with serving(["bentoml", "serve", "DigitReader:latest", "--port", "0"], folder, home) as server:
        printed = run([sys.executable, "client.py", server.address], folder, home)
    for digit in range(10):
        assert f"a {digit} is read as {digit} (raw body) and {digit} (form upload)" in printed
