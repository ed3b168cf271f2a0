"""The files of the management server's image."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.cli.main import commandline_interface
from bentoml.containers.yatai_files import YataiSpec, dockerfile_text, yatai_files
from bentoml.exceptions import InvalidArgument
from tests.bundle.hostile import HOSTILE_TEXTS

from .dockerfiles import broken_rules, parse

GOLDEN = Path(__file__).with_name("golden") / "yatai"
SPEC = YataiSpec("0.14.0", "python:3.11-slim", "bentoml-0.14.0-py3-none-any.whl", "ab" * 32)


@pytest.mark.parametrize("name", sorted(yatai_files(SPEC)))
def test_golden_files(name: str) -> None:
    """`BENTOML_WRITE_GOLDEN=1` writes them anew; read the difference before committing it."""
    text = yatai_files(SPEC)[name]
    if os.environ.get("BENTOML_WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_rules_of_hadolint() -> None:
    """The one exception: the entry point gives root up itself, once it knows who owns the mounted home."""
    assert list(broken_rules(dockerfile_text(SPEC))) == ["DL3002 the last user is root"]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_the_base_stays_a_base(text: str) -> None:
    try:
        spec = YataiSpec("1", text, "w.whl", "0")
    except InvalidArgument:
        return
    found = parse(dockerfile_text(spec))
    assert [one.name for one in found] == [one.name for one in parse(dockerfile_text(SPEC))]
    assert found[0].argument == text


def test_context_is_written_and_nothing_else(tmp_path: Path) -> None:
    words = [
        "yatai",
        "containerize",
        "--context",
        str(tmp_path / "image"),
        "--base-image",
        "python:3.12-slim",
    ]
    done = CliRunner().invoke(commandline_interface, words)
    assert done.exit_code == 0, done.output
    files = {file.name for file in (tmp_path / "image").iterdir()}
    assert files == {*yatai_files(SPEC), "bentoml-0.14.0-py3-none-any.whl"}
    assert (tmp_path / "image" / "Dockerfile").read_text().startswith("FROM python:3.12-slim\n")
    assert os.access(tmp_path / "image" / "entrypoint.sh", os.X_OK)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="gives root up, so it needs root")
def test_the_owner_of_the_home_runs_the_server(tmp_path: Path) -> None:
    script = tmp_path / "drop_root.py"
    script.write_text(yatai_files(SPEC)["drop_root.py"])
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 4321, 8765)
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, str(script), "/bin/sh", "-c", "id -u; id -g; id -G; echo $HOME"],
        env={**os.environ, "BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["4321", "8765", "8765", str(home)], done.stderr
