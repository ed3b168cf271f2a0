"""Options of the container operators, and an engine that is missing or does not answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bentoml.deploy.config import check_config
from bentoml.deploy.containers.config import ContainerConfig, create_words, resource_words, variables_text
from bentoml.deploy.containers.engine import ContainerEngine, EngineFailed, _seconds
from bentoml.deploy.registry import Host, open_operator
from bentoml.exceptions import InvalidArgument, MissingDependencyException

from .conftest import Want

PLAN: dict[str, Any] = {
    "container": "bentoml-dev-iris-0a0a0a-3",
    "revision": 3,
    "network": "bridge",
    "host": "127.0.0.1",
    "port": 5101,
    "resources": [],
    "image": "bentoml-deployments/iris:1",
    "arguments": ["--workers=2"],
    "environment": {"MODE": "fast one"},
}


def config(**options: Any) -> ContainerConfig:
    found: ContainerConfig = check_config(ContainerConfig, "docker", options)
    return found


def test_the_words_of_create() -> None:
    words = create_words(PLAN, "owner", Path("/v"))
    assert "--publish=127.0.0.1:5101:5000" in words
    assert words[-2:] == ["bentoml-deployments/iris:1", "--workers=2"]
    assert {"--cap-drop=ALL", "--security-opt=no-new-privileges"} <= set(words)
    assert variables_text(PLAN) == "BENTOML_PORT=5000\nBENTOML_HOST=0.0.0.0\nMODE=fast one\n"
    on_host = {**PLAN, "network": "host", "host": "::1"}
    assert "--network=host" in create_words(on_host, "owner", Path("/v"))
    assert variables_text(on_host).startswith("BENTOML_PORT=5101\nBENTOML_HOST=::1\n")
    assert "--publish=[::1]:5101:5000" in create_words({**PLAN, "host": "::1"}, "o", Path("/v"))


def test_resources_by_engine() -> None:
    wanted = config(memory="2g", cpus=1.5, gpus=True)
    docker, podman = resource_words("docker", wanted), resource_words("podman", wanted)
    assert docker[:3] == ["--memory=2g", "--cpus=1.5", "--gpus=all"]
    assert "--restart=unless-stopped" in docker
    assert podman[2] == "--device=nvidia.com/gpu=all"
    assert "--restart=on-failure:3" in podman


@pytest.mark.parametrize(
    "options",
    [
        {"image": "--privileged"},
        {"image": "a b"},
        {"memory": "2 g"},
        {"memory": "-1"},
        {"cpus": 0},
        {"network": "none"},
        {"environment": {"A": "x\nB=y"}},
        {"environment": {"#A": "x"}},
        {"environment": {"-e": "x"}},
        {"privileged": True},
    ],
)
def test_D_options_that_would_become_other_words_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        config(**options)


def test_a_missing_engine_is_named_before_anything_is_written(
    home: Path, want: Want, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(MissingDependencyException, match="'docker' is not installed"):
        open_operator("docker", Host(home / "deployments")).apply(want(), {})
    assert not list(home.glob("deployments/[!.]*"))


def test_an_engine_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "docker"
    script.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///x.' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EngineFailed, match="`docker container` failed: Cannot connect to the Docker daemon"):
        ContainerEngine("docker").inspect("x")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-28T23:08:24.974353318Z", 1795907304),
        ("2026-11-28T23:08:24Z", 1795907304),
        ("2026-11-29T00:08:24.5+01:00", 1795907304),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_times_of_engines(text: str, seconds: int | None) -> None:
    assert _seconds(text) == seconds
