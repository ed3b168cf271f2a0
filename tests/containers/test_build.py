"""Engines: their command lines, and real child processes that stand in for them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.bundle.manifest import verify_manifest
from bentoml.cli.main import commandline_interface
from bentoml.containers.build import ImageBuildFailed, containerize
from bentoml.containers.builders.base import BuildRequest
from bentoml.containers.builders.buildah import BuildahBuilder
from bentoml.containers.builders.choice import choose_builder
from bentoml.containers.builders.docker import DockerBuilder
from bentoml.containers.builders.podman import PodmanBuilder
from bentoml.exceptions import BundleCorrupted, InvalidArgument, MissingDependencyException
from bentoml.repository.local import LocalRepository
from tests.bundle.hostile import HOSTILE_TEXTS

ONE = BuildRequest(Path("/c"), "a:1", {"l": "x y"}, {"P": "$(x) ;"}, ("linux/arm64",), True)
TWO = BuildRequest(Path("/c"), "a:1", platforms=("linux/amd64", "linux/arm64"), push=True)
OPTIONS = ["--label", "l=x y", "--build-arg", "P=$(x) ;", "--platform", "linux/arm64"]


def test_command_lines() -> None:
    assert DockerBuilder().commands(ONE) == [
        ["docker", "build", *OPTIONS, "--tag", "a:1", "/c"],
        ["docker", "push", "a:1"],
    ]
    assert BuildahBuilder().commands(ONE) == [
        ["buildah", "build", "--format", "docker", *OPTIONS, "--tag", "a:1", "/c"],
        ["buildah", "push", "a:1", "docker://a:1"],
    ]
    both = ["--platform", "linux/amd64,linux/arm64"]
    assert DockerBuilder().commands(TWO) == [
        ["docker", "buildx", "build", "--push", *both, "--tag", "a:1", "/c"]
    ]
    assert PodmanBuilder().commands(TWO) == [
        ["podman", "build", "--format", "docker", *both, "--manifest", "a:1", "/c"],
        ["podman", "manifest", "push", "--all", "a:1", "docker://a:1"],
    ]
    with pytest.raises(InvalidArgument, match="add --push"):
        DockerBuilder().commands(BuildRequest(Path("/c"), "a:1", platforms=TWO.platforms))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_arguments_and_platforms(text: str) -> None:
    """An argument is one element of the command line; no shell sees it."""
    for name, value in ((text, "x"), ("P", text)):
        try:
            words = BuildRequest(Path("/c"), "a:1", build_args={name: value}).options()
        except InvalidArgument:
            continue
        assert words == ["--build-arg", f"{name}={value}"]
        assert "\n" not in words[1]
    with pytest.raises(InvalidArgument):
        BuildRequest(Path("/c"), "a:1", platforms=(text,))


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a `docker` that notes what it was given, builds nothing, and prints as the real one.

    It fails when its build argument FAIL is set.
    """
    folder = tmp_path / "engine"
    folder.mkdir()
    script = folder / "docker"
    script.write_text(f"""#!{sys.executable}
import json, os, pathlib, sys
arguments = sys.argv[1:]
context = pathlib.Path(arguments[-1])
files = sorted(f.relative_to(context).as_posix() for f in context.rglob("*") if f.is_file())
with open({str(folder / "calls")!r}, "a") as file:
    file.write(json.dumps([arguments, files]) + "\\n")
print("#5 [1/9] FROM python", flush=True)
print("#6 [2/9] RUN groupadd \\N{{SNOWMAN}}", flush=True)
if any(word.startswith("FAIL=") for word in arguments):
    print("#6 0.1 groupadd: not found", file=sys.stderr)
    sys.exit(7)
""")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    return folder


def calls(engine: Path) -> list[tuple[list[str], list[str]]]:
    return [json.loads(line) for line in (engine / "calls").read_text().splitlines()]


def test_command_builds_and_pushes(bundle: Path, home: Path, engine: Path) -> None:
    LocalRepository(home).add_directory(bundle)
    arguments = ["containerize", "echo", "-t", "host:5000/echo", "--push", "--build-arg", "P=a=b"]
    arguments[1] = "Echo:latest"
    done = CliRunner().invoke(commandline_interface, arguments, prog_name="bentoml")
    assert done.exit_code == 0, done.output
    assert "#6 [2/9] RUN groupadd \N{SNOWMAN}" in done.output
    assert "Build container image: host:5000/echo:2_A" in done.output
    assert "Pushed container image: host:5000/echo:2_A" in done.output
    build, push = calls(engine)
    assert push[0] == ["push", "host:5000/echo:2_A"]
    assert "P=a=b" in build[0]
    manifest = verify_manifest(bundle)
    assert manifest is not None
    assert f"org.opencontainers.image.revision={manifest.digest}" in build[0]


def test_P22_the_context_is_what_the_manifest_lists(bundle: Path, engine: Path) -> None:
    (bundle / "Echo" / "__pycache__").mkdir()
    (bundle / "Echo" / "__pycache__" / "echo.cpython-311.pyc").write_bytes(b"x")
    before = {f: f.read_bytes() for f in bundle.rglob("*") if f.is_file()}
    containerize(bundle)
    manifest = verify_manifest(bundle)
    assert manifest is not None
    [(arguments, files)] = calls(engine)
    assert set(files) == {*manifest.files, "bundle-manifest.json"}
    assert not Path(arguments[-1]).exists()
    assert {f: f.read_bytes() for f in bundle.rglob("*") if f.is_file()} == before


def test_a_failing_step_fails_the_command_and_is_named(bundle: Path, engine: Path) -> None:
    done = CliRunner().invoke(
        commandline_interface, ["containerize", str(bundle), "--build-arg", "FAIL=1", "--push"], prog_name="b"
    )
    assert done.exit_code == 1
    assert "failed in the step `RUN groupadd \N{SNOWMAN}` (exit code 7)" in done.output
    assert "    #6 0.1 groupadd: not found" in done.output
    assert "Build container image" not in done.output
    assert len(calls(engine)) == 1  # nothing was pushed
    with pytest.raises(ImageBuildFailed) as failure:
        containerize(bundle, build_args={"FAIL": "1"})
    assert failure.value.step.startswith("RUN groupadd")


def test_T1_a_tampered_bundle_is_not_built(bundle: Path, engine: Path) -> None:
    (bundle / "Dockerfile").write_text("FROM evil\n")
    with pytest.raises(BundleCorrupted, match="'Dockerfile' was changed"):
        containerize(bundle)
    assert not (engine / "calls").exists()


def test_bundles_of_013_get_container_files_that_work(bundle: Path, engine: Path) -> None:
    for name in ("bundle-package.json", "bundle-manifest.json"):
        (bundle / name).unlink()
    config = bundle / "bentoml.yml"
    config.write_text(config.read_text().replace("version: 0.14.0", "version: 0.13.1"))
    (bundle / "Dockerfile").write_text("FROM bentoml/model-server:0.13.1-py37\n")
    (bundle / "requirements.txt").write_text("bentoml==0.13.1\nclick")
    containerize(bundle)
    [(_, files)] = calls(engine)
    assert "bundled_pip_dependencies/bentoml-0.14.0-py3-none-any.whl" in files
    assert (bundle / "Dockerfile").read_text() == "FROM bentoml/model-server:0.13.1-py37\n"
    assert (bundle / "requirements.txt").read_text() == "bentoml==0.13.1\nclick"


def test_choice_of_the_engine(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_builder(None).name == "docker"
    with pytest.raises(MissingDependencyException, match="'podman' is not installed"):
        choose_builder("podman")
    (engine / "buildah").write_text("#!/bin/sh\n")
    (engine / "buildah").chmod(0o755)
    assert choose_builder("buildah").name == "buildah"
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(MissingDependencyException, match="Docker, Podman and Buildah are not installed"):
        choose_builder(None)


def test_invalid_values_are_refused_before_anything_runs(bundle: Path, engine: Path) -> None:
    for options in (["-t", "A"], ["--build-arg", "x"], ["--build-arg", "a-b=c"], ["--platform", "amd64"]):
        done = CliRunner().invoke(commandline_interface, ["containerize", str(bundle), *options])
        assert done.exit_code == 1, done.output
    assert not (engine / "calls").exists()
