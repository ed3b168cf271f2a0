"""The container files against golden files, hadolint's rules, and hostile fields (D)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bentoml.bundle.container_files import ContainerSpec, container_files, dockerfile_text
from bentoml.bundle.environment import resolve_environment
from bentoml.bundle.yaml_text import dump_yaml
from bentoml.exceptions import InvalidArgument
from bentoml.service.env import BentoServiceEnv
from tests.bundle.hostile import HOSTILE_TEXTS

from .dockerfiles import broken_rules, parse

GOLDEN = Path(__file__).with_name("golden")
SPEC = ContainerSpec("Svc", "1.0", "python:3.11-slim", "bentoml-0.14.0-py3-none-any.whl", "ab" * 32)
WITH_SCRIPT = ContainerSpec("Svc", "1.0", "condaforge/miniforge3:24.3.0-0", "w.whl", "ab" * 32, True)


@pytest.mark.parametrize("name", sorted(container_files(SPEC)))
def test_golden_files(name: str) -> None:
    """`BENTOML_WRITE_GOLDEN=1` writes them anew; read the difference before committing it."""
    text = container_files(SPEC)[name]
    file = GOLDEN / name.lstrip(".")
    if os.environ.get("BENTOML_WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


BASES = {
    "conda": BentoServiceEnv(
        conda_channels=["conda-forge"], conda_dependencies=["numpy=2.1", "blas=*=openblas"]
    ),
    "cuda": BentoServiceEnv(
        docker_base_image="nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04",
        pip_packages=["torch==2.6.0"],
        setup_sh="#!/bin/sh\napt-get update\n",
    ),
}


@pytest.mark.parametrize("name", sorted(BASES))
def test_golden_files_of_other_bases(name: str) -> None:
    """What a service that lists conda packages, or names a CUDA base with a setup script, gets."""
    resolved = resolve_environment(BASES[name])
    has_script = resolved.setup_script is not None
    spec = ContainerSpec("Svc", "1.0", resolved.docker_base_image, SPEC.wheel, SPEC.wheel_sha256, has_script)
    files = {"Dockerfile": dockerfile_text(spec), "environment.yml": dump_yaml(resolved.conda_env)}
    assert list(broken_rules(files["Dockerfile"])) == []
    for file, text in files.items():
        place = GOLDEN / name / file
        if os.environ.get("BENTOML_WRITE_GOLDEN"):
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
        assert text == place.read_text()


@pytest.mark.parametrize("spec", [SPEC, WITH_SCRIPT])
def test_rules_of_hadolint(spec: ContainerSpec) -> None:
    assert list(broken_rules(dockerfile_text(spec))) == []


def test_the_rules_find_something() -> None:
    bad = (
        "FROM python\nWORKDIR x\nADD a b\nCOPY a b c\nEXPOSE 70000\nENV API_KEY=1\nENV A=$A:x\n"
        "RUN sudo pip install x\nCMD serve\nCMD x\nUSER root\n"
    )
    found = " ".join(broken_rules(bad))
    for rule in ("DL3006", "DL3002", "DL3000", "DL4003", "DL4004", "DL3012", "DL3025", "DL3020", "DL3021",
                 "DL3011", "DL3004", "DL3042", "DL3044", "secret"):  # fmt: skip
        assert rule in found


def test_P22_the_image_stops_as_the_server_does() -> None:
    instructions = parse(dockerfile_text(SPEC))
    [entry] = [one for one in instructions if one.name == "ENTRYPOINT"]
    assert entry.words == ["./docker-entrypoint.sh"]
    assert container_files(SPEC)["docker-entrypoint.sh"].rstrip().endswith('exec "$@"')
    assert [one.argument for one in instructions if one.name == "USER"] == ["root", "bentoml"]
    assert "STOPSIGNAL" not in {one.name for one in instructions}  # SIGTERM, which the server drains on


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
@pytest.mark.parametrize("field", ["name", "version", "base_image"])
def test_D_fields_stay_fields(field: str, text: str) -> None:
    expected = [one.name for one in parse(dockerfile_text(SPEC))]
    values = {"name": "Svc", "version": "1.0", "base_image": "python:3.11-slim", field: text}
    try:
        spec = ContainerSpec(**values, wheel="w.whl", wheel_sha256="0")  # type: ignore[arg-type]
    except InvalidArgument:
        return
    found = parse(dockerfile_text(spec))
    assert [one.name for one in found] == expected
    assert found[0].argument == spec.base_image
    [label] = [one for one in found if one.name == "LABEL"]
    assert len(label.words) == 3


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_D_scripts_and_packages_never_reach_the_dockerfile(text: str) -> None:
    """They are files and lines of requirements.txt; the Dockerfile is the same with or without them."""
    try:
        env = resolve_environment(
            BentoServiceEnv(
                pip_packages=[f"click{text}"], setup_sh=f"#!/bin/sh\n{text}\n", docker_base_image="a:1"
            )
        )
    except InvalidArgument:
        return
    spec = ContainerSpec("Svc", "1.0", env.docker_base_image, "w.whl", "0", has_setup_script=True)
    plain = ContainerSpec("Svc", "1.0", "a:1", "w.whl", "0", has_setup_script=True)
    assert container_files(spec) == container_files(plain)
