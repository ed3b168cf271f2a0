"""`bentoml env` and `bentoml serve --env isolated`, with real environments."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.cli.isolation import given_options
from bentoml.cli.main import commandline_interface
from bentoml.environments import installers
from bentoml.environments.build import MARKER, environments_directory, make_environment
from bentoml.environments.installers import choose_installer, find_uv
from bentoml.environments.interpreters import find_interpreter
from bentoml.environments.pip_settings import pip_options, uv_environment
from bentoml.environments.recipe import recipe_of
from bentoml.environments.source import environment_source
from bentoml.exceptions import BentoMLException, BundleCorrupted, InvalidArgument, MissingDependencyException
from bentoml.repository.local import LocalRepository
from tests.e2e.processes import serving

from .wheelhouse import Index, package_index

needs_uv = pytest.mark.skipif(find_uv() is None, reason="uv is not installed")


@needs_uv
def test_kept_by_content_and_shared(hello: Path, index: Index, tmp_path: Path, home: Path) -> None:
    first = make_environment(hello)
    assert first.was_made and first.path.parent == home / "environments"
    again = tmp_path / "elsewhere"
    shutil.copytree(hello, again)
    assert make_environment(again).path == first.path
    assert not make_environment(again).was_made
    assert make_environment(hello, recreate=True).was_made
    with environment_source(hello) as source:
        keys = {recipe_of(source).key("a"), recipe_of(source).key("b")}
        (hello / "requirements.txt").write_text((hello / "requirements.txt").read_text() + "\n")
        assert len(keys | {recipe_of(source).key("a")}) == 3


@needs_uv
def test_an_unfinished_one_is_made_again(hello: Path, index: Index) -> None:
    made = make_environment(hello)
    (made.path / MARKER).unlink()
    (made.path / "half").write_text("x")
    assert make_environment(hello).was_made
    assert not (made.path / "half").exists()


@needs_uv
def test_T1_a_tampered_bundle_installs_nothing(hello: Path, index: Index) -> None:
    (hello / "requirements.txt").write_text("evil\n")
    with pytest.raises(BundleCorrupted, match=r"requirements\.txt' was changed"):
        make_environment(hello)
    assert not index.asked
    assert not [path for path in environments_directory().iterdir() if path.is_dir()]


def test_a_directory_that_is_no_environment_is_left_alone(hello: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(InvalidArgument, match="is no virtual environment"):
        make_environment(hello, path=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


@needs_uv
def test_a_missing_package_fails_and_leaves_nothing(
    hello: Path, tmp_path: Path, index: Index, capfd: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "no-wheels"
    empty.mkdir()
    with pytest.raises(BentoMLException, match="its output above says why"):
        make_environment(hello, path=tmp_path / "env", wheels=empty)
    assert not (tmp_path / "env").exists()
    assert "greeting" in capfd.readouterr().err
    assert not index.asked


@needs_uv
def test_wheels_instead_of_an_index(hello: Path, wheels: Path, index: Index, tmp_path: Path) -> None:
    made = make_environment(hello, path=tmp_path / "env", wheels=wheels)
    assert list(made.path.glob("lib/python*/site-packages/greeting.py"))
    assert not index.asked


def test_choice_of_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_installer("pip").name == "pip"
    with pytest.raises(InvalidArgument, match="auto, uv or pip, not 'conda'"):
        choose_installer("conda")  # type: ignore[arg-type]
    monkeypatch.setattr(installers, "find_uv", lambda: None)
    assert choose_installer().name == "pip"
    with pytest.raises(MissingDependencyException, match="pip install uv"):
        choose_installer("uv")


def test_choice_of_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert find_interpreter(mine).minor == mine
    assert find_interpreter("3.8").minor == mine  # a bundle of 0.13: this library does not run there
    assert find_interpreter("").minor == mine
    assert find_interpreter("3.8", sys.executable).path == Path(sys.executable)
    with pytest.raises(MissingDependencyException, match=r"Python 3\.99 is needed and not found"):
        find_interpreter("3.99")
    broken = tmp_path / "python3.99"
    broken.write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyException, match="does not work as a Python: broken"):
        find_interpreter("3.99")


def test_uv_learns_the_index_of_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://mirror.example.com/simple\nextra-index-url =\n  https://a.example.com\n"
        "  https://b.example.com\nfind-links = /one /two\n[install]\ntrusted-host = c.example.com\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert (
        uv_environment({"HOME": "/h"}).items()
        >= {
            "HOME": "/h",
            "UV_DEFAULT_INDEX": "https://mirror.example.com/simple",
            "UV_EXTRA_INDEX_URL": "https://a.example.com https://b.example.com",
            "UV_FIND_LINKS": "/one,/two",
            "UV_INSECURE_HOST": "c.example.com",
        }.items()
    )
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example.com")
    assert pip_options()["index-url"] == "https://variable.example.com"
    assert uv_environment({"UV_DEFAULT_INDEX": "mine"})["UV_DEFAULT_INDEX"] == "mine"


def test_installed_bundles_have_an_environment_already(hello: Path) -> None:
    with (
        pytest.raises(InvalidArgument, match="is a bundle that pip installed"),
        environment_source(hello / "Hello"),
    ):
        pass


def test_options_are_passed_on(home: Path) -> None:
    command = commandline_interface.get_command(None, "serve")  # type: ignore[arg-type]
    assert command is not None
    arguments = ["X", "--env=isolated", "-p", "80", "--disable-swagger", "--reload", "--mb-max-latency", "9"]
    context = command.make_context("serve", arguments)
    context.meta["bentoml.settings"] = {"debug": True}
    with context:
        assert given_options(context) == [
            "--port=80", "--mb-max-latency=9", "--disable-swagger", "--reload", "--verbose",
        ]  # fmt: skip


@needs_uv
def test_serve_isolated(
    hello: Path, real_wheels: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service needs a package that only its own environment has, and is served from here."""
    repository = LocalRepository(home)
    repository.add_directory(hello)
    with package_index(real_wheels, tmp_path / "index") as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        make_environment(hello)  # in advance, because a busy machine takes its time for that
        command = ["bentoml", "serve", "Hello:1", "--env", "isolated", "--host=127.0.0.1", "--port=0"]
        with serving(command, tmp_path, home) as server:
            request = urllib.request.Request(
                f"{server.address}/predict", b'"me"', {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                text, value, library = json.loads(answer.read())
    assert (text, value) == ("from 1.5", "me")
    [environment] = [path for path in (home / "environments").iterdir() if path.is_dir()]
    assert Path(library).is_relative_to(environment)


@needs_uv
def test_env_command_prints_the_directory(
    hello: Path, index: Index, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("bentoml").propagate = True
    done = CliRunner().invoke(commandline_interface, ["env", str(hello)], prog_name="bentoml")
    assert done.exit_code == 0, done.output
    path = Path(done.stdout.strip())
    assert path.parent == home / "environments"
    assert json.loads((path / MARKER).read_text())["tag"] == "Hello:1"
