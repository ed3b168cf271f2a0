"""`bentoml deployment` with a YAML of 0.13's form and containers of a real Podman, on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bentoml.bundle.descriptor import read_descriptor
from bentoml.cli.main import commandline_interface
from bentoml.repository.local import LocalRepository
from tests.server.live.process import is_running

from .conftest import end_keepers, some_ports
from .podman import Podman
from .test_local import post

pytestmark = pytest.mark.xdist_group("podman")

DOCUMENT = """
name: iris-prod
namespace: shop
labels: {team: flowers}
spec:
  operator: podman
  bento_name: Probe
  bento_version: "VERSION"
  podman_operator_config: {image: "localhost/probe:1", network: host, grace_s: 5}
"""


@pytest.fixture
def document(
    podman: Podman, home: Path, probe_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    for name, value in podman.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BENTOML_YATAI_DEPLOYMENT_PORTS", "{}-{}".format(*some_ports()))
    LocalRepository(home).add_directory(probe_bundle)
    file = tmp_path / "iris.yaml"
    file.write_text(DOCUMENT.replace("VERSION", read_descriptor(probe_bundle).version))
    yield file
    end_keepers(home / "deployments")
    podman.remove_everything()


def output_of(*arguments: str) -> str:
    result = CliRunner().invoke(commandline_interface, ["deployment", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_commands_of_013_run_a_container(document: Path) -> None:
    plan = json.loads(output_of("create", "-f", str(document), "--dry-run"))
    assert plan["action"] == "create" and "podman" in plan["changes"][0]
    made = json.loads(output_of("create", "-f", str(document)))
    assert made["state"]["state"] == "RUNNING"
    info = json.loads(output_of("describe", "iris-prod", "-n", "shop"))["info"]
    assert post(info["endpoints"][0])[0] == 200
    assert "podman" in output_of("list", "-p", "podman")
    assert "Running on" in output_of("logs", "iris-prod", "-n", "shop")
    assert json.loads(output_of("metrics", "iris-prod", "-n", "shop"))["requests"] == 1
    changed = output_of("apply", "-f", str(document), "--set", "workers=2")
    assert json.loads(changed)["state"]["info"]["serving_revision"] == 2
    output_of("delete", "iris-prod", "-n", "shop")
    assert not is_running(info["process"])
