"""The library inside a bundle is the only `bentoml` that any way of installing takes.

The index offers a `bentoml` 99.0, which raises when it is imported. It is not even asked for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml import __version__
from bentoml.bundle.manifest import write_manifest
from bentoml.environments.build import make_environment
from bentoml.environments.installers import find_uv, python_of
from bentoml.environments.lock import add_lock, resolve_lock
from bentoml.exceptions import BentoMLException

from .wheelhouse import Index, made_up_wheel, package_index

WHICH = """
import json
from importlib.metadata import distribution as d
print(json.dumps([d("bentoml").version, d("greeting").version, d("bentoml").read_text("direct_url.json")]))
"""
UV = find_uv()
pytestmark = pytest.mark.skipif(UV is None, reason="uv is not installed")


def call(*command: str | Path, cwd: Path, **env: str) -> str:
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**variables, **env},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fresh(tmp_path: Path) -> Path:
    target = tmp_path / "venv"
    call(UV or "", "venv", "--no-project", "--python", sys.executable, target, cwd=tmp_path)
    return target


def check(target: Path, index: Index) -> None:
    version, greeting, direct = json.loads(call(python_of(target), "-I", "-c", WHICH, cwd=target))
    assert (version, greeting) == (__version__, "1.5")
    assert (
        json.loads(direct)["url"]
        .partition("#")[0]
        .endswith(f"bundled_pip_dependencies/bentoml-{__version__}-py3-none-any.whl")
    )
    assert not index.asked_for("bentoml")
    assert index.asked_for("greeting")


def with_pip(bundle: Path, target: Path, *what: str) -> None:
    call(sys.executable, "-m", "pip", "--python", python_of(target), "install", *what, cwd=bundle)


def with_uv(bundle: Path, target: Path, *what: str) -> None:
    call(UV or "", "pip", "install", "--python", python_of(target), *what, cwd=bundle)


@pytest.mark.parametrize("install", [with_pip, with_uv])
@pytest.mark.parametrize("what", [["-r", "requirements.txt"], ["."], ["--upgrade", "-r", "requirements.txt"]])
def test_installing_the_requirements_or_the_bundle(
    install: Callable[..., None], what: list[str], hello: Path, tmp_path: Path, index: Index
) -> None:
    target = fresh(tmp_path)
    install(hello, target, *what)
    check(target, index)


@pytest.mark.parametrize("install", [with_pip, with_uv])
def test_installing_the_lock(install: Callable[..., None], hello: Path, tmp_path: Path, index: Index) -> None:
    add_lock(hello, resolve_lock(hello))
    target = fresh(tmp_path)
    install(hello, target, "--require-hashes", "-r", "requirements.lock")
    check(target, index)


@pytest.mark.parametrize(("installer", "locked"), [("uv", False), ("uv", True), ("pip", True)])
def test_bentoml_env(installer: str, locked: bool, hello: Path, index: Index) -> None:
    if locked:
        add_lock(hello, resolve_lock(hello))
    check(make_environment(hello, installer=installer).path, index)  # type: ignore[arg-type]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
@pytest.mark.parametrize("locked", [False, True])
def test_the_script_of_the_image(locked: bool, hello: Path, tmp_path: Path, index: Index) -> None:
    if locked:
        add_lock(hello, resolve_lock(hello))
    target = fresh(tmp_path)
    fake = tmp_path / "bin" / "python"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\nif [ "$1 $2" = "-m pip" ]; then shift 2; exec {sys.executable} -m pip --python '
        f'{python_of(target)} "$@"; fi\nexec {python_of(target)} "$@"\n'
    )
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    call(
        "sh",
        "./bentoml-init.sh",
        "install_pip_packages",
        "install_bundled_pip_packages",
        cwd=hello,
        PATH=path,
    )
    check(target, index)


@pytest.mark.parametrize("install", [with_pip, with_uv])
def test_a_requirements_file_that_asks_for_it(
    install: Callable[..., None], hello: Path, tmp_path: Path, index: Index
) -> None:
    """As a bundle has it that was saved with such a file."""
    from bentoml.bundle.requirements_file import users_requirements

    library = (hello / "requirements.txt").read_text().splitlines()[0]
    text = users_requirements(library, "bentoml>=1.0\ngreeting==1.5\nBentoML[grpc] ; python_version > '3'\n")
    (hello / "requirements.txt").write_text(text)
    target = fresh(tmp_path)
    install(hello, target, "-r", "requirements.txt")
    check(target, index)


def test_an_old_bundle_that_pins_it(hello: Path, index: Index) -> None:
    """0.13 wrote `bentoml==0.13.1` into every bundle's requirements."""
    for name in ("bundle-package.json", "bundle-manifest.json", "requirements.txt"):
        (hello / name).unlink()
    shutil.rmtree(hello / "bundled_pip_dependencies")
    (hello / "requirements.txt").write_text("bentoml==0.13.1\ngreeting==1.5")
    config = hello / "bentoml.yml"
    config.write_text(config.read_text().replace(f"version: {__version__}", "version: 0.13.1"))
    check(make_environment(hello).path, index)


def test_a_package_that_needs_the_foreign_one_is_an_error(
    hello: Path, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = tmp_path / "more"
    shutil.copytree(wheels, more)
    made_up_wheel(more, "needs-foreign", "1", ["bentoml>=99"])
    with (hello / "requirements.txt").open("a") as file:
        file.write("\nneeds-foreign==1\n")
    write_manifest(hello)
    with package_index(more, tmp_path / "other-index") as index:
        for name, value in index.environment().items():
            monkeypatch.setenv(name, value)
        with pytest.raises(BentoMLException, match="ended with exit code"):
            make_environment(hello, path=tmp_path / "env")
        assert not (tmp_path / "env").exists()
        with pytest.raises(AssertionError, match=r"ResolutionImpossible|conflicting"):
            with_pip(hello, fresh(tmp_path), "-r", "requirements.txt")
