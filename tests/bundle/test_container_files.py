"""Dockerfile and start-up scripts: golden instructions, hostile fields (D), and the scripts really run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bentoml.bundle.container_files import (
    ContainerSpec,
    container_files,
    dockerfile_text,
    entrypoint_text,
    init_script_text,
)
from bentoml.exceptions import InvalidArgument

from .hostile import HOSTILE_TEXTS

SPEC = ContainerSpec("Svc", "1.0", "python:3.11-slim", "bentoml-0.14.0-py3-none-any.whl", "ab" * 32)
needs_sh = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")


def instructions(text: str) -> list[tuple[str, str]]:
    """`(instruction, argument)` of a Dockerfile, comments left out, continuation lines joined."""
    found = []
    for line in text.replace("\\\n", "").split("\n"):
        if line and not line.startswith("#"):
            name, _, argument = line.partition(" ")
            found.append((name, argument))
    return found


def test_golden_instructions() -> None:
    found = instructions(dockerfile_text(SPEC))
    assert [name for name, _ in found] == [
        "FROM", "USER", "LABEL", "ARG", "ARG", "ARG", "RUN", "ARG", "ENV", "ENV", "ENV", "ENV",
        "WORKDIR", "RUN",
        "COPY", "COPY", "RUN", "RUN", "RUN", "RUN", "RUN", "COPY",
        "EXPOSE", "USER", "HEALTHCHECK", "ENTRYPOINT", "CMD",
    ]  # fmt: skip
    assert found[0] == ("FROM", "python:3.11-slim")
    assert ("ARG", "UID=1034") in found
    assert ("ARG", "GID=1034") in found
    assert ("ENV", "BENTOML_HOME=/home/bentoml/") in found
    assert found[-4] == ("USER", "bentoml")
    assert json.loads(found[-2][1]) == ["./docker-entrypoint.sh"]
    assert json.loads(found[-1][1]) == ["bentoml", "serve-gunicorn", "./"]
    steps = [
        json.loads(argument)[2] for name, argument in found if name == "RUN" and argument.startswith("[")
    ]
    assert steps == [
        "custom_setup", "ensure_python", "restore_conda_env", "install_pip_packages",
        "install_bundled_pip_packages",
    ]  # fmt: skip


def test_files_come_before_the_bundle_so_that_layers_are_reused() -> None:
    copies = [json.loads(a.partition(" ")[2]) for n, a in instructions(dockerfile_text(SPEC)) if n == "COPY"]
    assert copies[0][:-1] == [
        "bentoml-init.sh", "docker-entrypoint.sh", "python_version", "environment.yml", "requirements.txt",
        "requirements.loc[k]",
    ]  # fmt: skip
    assert copies[-1] == [".", "./"]
    with_script = ContainerSpec("Svc", "1", "a", "w.whl", "0", has_setup_script=True)
    assert '"setup.sh"' in dockerfile_text(with_script)


def test_health_check_is_python_that_compiles() -> None:
    argument = next(a for n, a in instructions(dockerfile_text(SPEC)) if n == "HEALTHCHECK")
    command = json.loads(argument.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_no_field_adds_an_instruction(text: str) -> None:
    expected = [name for name, _ in instructions(dockerfile_text(SPEC))]
    for field in ("base_image", "name", "version"):
        values = {"name": "Svc", "version": "1", "base_image": "python:3.11-slim", field: text}
        try:
            spec = ContainerSpec(**values, wheel="w.whl", wheel_sha256="0")  # type: ignore[arg-type]
        except InvalidArgument:
            continue
        found = instructions(dockerfile_text(spec))
        assert [name for name, _ in found] == expected
        assert found[0] == ("FROM", spec.base_image)


@pytest.mark.parametrize(
    "image",
    [
        "python:3.11-slim",
        "registry.example.com:5000/team/image@sha256:" + "ab" * 32,
        "bentoml/model-server:0.13.1-py38",
    ],
)
def test_image_references_that_people_use(image: str) -> None:
    spec = ContainerSpec("Svc", "1", image, "w.whl", "0")
    assert instructions(dockerfile_text(spec))[0] == ("FROM", image)


@needs_sh
@pytest.mark.parametrize("name", ["docker-entrypoint.sh", "bentoml-init.sh"])
def test_scripts_are_valid_shell(name: str) -> None:
    subprocess.run(["sh", "-n"], input=container_files(SPEC)[name], text=True, check=True)


def run_entrypoint(tmp_path: Path, *arguments: str, **env: str) -> tuple[list[str], str]:
    """Run the entry point with a `bentoml` that prints; returns its arguments and the noted port."""
    fake = tmp_path / "bin" / "bentoml"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$BENTOML_PORT" "$@"\n')
    fake.chmod(0o755)
    script = tmp_path / "entry.sh"
    script.write_text(entrypoint_text())
    done = subprocess.run(
        ["sh", str(script), *arguments],
        env={
            "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}",
            "BUNDLE_PATH": "/the bundle",
            "BENTOML_HOME": str(tmp_path),
            "BENTOML_PORT": "",
            **env,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split("\n")[:-1], (tmp_path / ".port").read_text().strip()


@needs_sh
def test_entrypoint_passes_options_and_commands(tmp_path: Path) -> None:
    assert run_entrypoint(tmp_path, "--workers=2", "--port=8080") == (
        ["", "serve-gunicorn", "--workers=2", "--port=8080", "/the bundle"], "8080",
    )  # fmt: skip
    assert run_entrypoint(tmp_path, "bentoml", "run", "a b", "$(touch x)", PORT="9") == (
        ["9", "run", "a b", "$(touch x)"], "9",
    )  # fmt: skip
    assert run_entrypoint(tmp_path, "--port", "77", PORT="9")[1] == "77"
    assert run_entrypoint(tmp_path, "bentoml", "serve-gunicorn", "./")[1] == "5000"


def run_init(folder: Path, *steps: str) -> subprocess.CompletedProcess[str]:
    fake = folder / "bin" / "python"
    fake.parent.mkdir(exist_ok=True)
    real = shutil.which("python3")
    fake.write_text(
        f'#!/bin/sh\nif [ "$1" = -m ]; then shift; printf "ran: %s\\n" "$*"; else exec {real} "$@"; fi\n'
    )
    fake.chmod(0o755)
    return subprocess.run(
        ["sh", str(folder / "bentoml-init.sh"), *steps],
        env={"PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}", "EXTRA_PIP_INSTALL_ARGS": "--x --y"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    wheel = b"wheel"
    spec = ContainerSpec("Svc", "1", "a", "b.whl", hashlib.sha256(wheel).hexdigest())
    (tmp_path / "bundled_pip_dependencies").mkdir()
    (tmp_path / "bundled_pip_dependencies/b.whl").write_bytes(wheel)
    (tmp_path / "python_version").write_text("3.10.4")
    (tmp_path / "environment.yml").write_text("name: x\ndependencies: []\n")
    (tmp_path / "bentoml-init.sh").write_text(init_script_text(spec))
    return tmp_path


@needs_sh
def test_init_installs_the_bundled_wheel_by_path(prepared: Path) -> None:
    done = run_init(prepared, "install_pip_packages")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("ran: pip install --no-cache-dir --x --y -r ./requirements.txt\n")
    (prepared / "requirements.lock").write_text("x")
    done = run_init(prepared, "install_pip_packages")
    assert done.stdout == (
        "ran: pip install --no-cache-dir --x --y --require-hashes -r ./requirements.lock\n"
    )


@needs_sh
def test_init_refuses_another_wheel(prepared: Path) -> None:
    (prepared / "bundled_pip_dependencies/b.whl").write_bytes(b"evil")
    done = run_init(prepared, "install_pip_packages")
    assert done.returncode != 0
    assert "was changed: its SHA-256 is" in done.stderr
    assert "ran:" not in done.stdout


@needs_sh
def test_init_runs_the_script_outside_the_bundle(prepared: Path) -> None:
    (prepared / "setup.sh").write_text("#!/bin/sh\ntouch left-here\necho done\n")
    before = {f.name for f in prepared.iterdir()}
    done = run_init(prepared, "custom_setup")
    assert done.returncode == 0, done.stderr
    assert {f.name for f in prepared.iterdir()} == before | {"bin"}


@needs_sh
def test_init_compares_whole_minor_versions(prepared: Path) -> None:
    """Three characters are not a version: 3.10 is not 3.1."""
    (prepared / "python_version").write_text("3.1.0")
    assert "the bundle was saved with Python 3.1.0" in run_init(prepared, "ensure_python").stderr
    (prepared / "python_version").write_text(
        subprocess.run(
            ["python3", "-c", "import platform; print(platform.python_version(), end='')"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    assert "WARNING: the bundle" not in run_init(prepared, "ensure_python").stderr.replace("+ echo", "")


@needs_sh
def test_init_knows_its_steps(prepared: Path) -> None:
    done = run_init(prepared, "custom_setup; touch x")
    assert done.returncode == 2
    assert "unknown step: custom_setup; touch x" in done.stderr
