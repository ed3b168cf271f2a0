"""Deployments and the life of their server: real servers, real services, signals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bentoml.bundle.descriptor import read_descriptor
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.exceptions import BentoMLException, BentoMLRpcError
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.registry import Registry
from tests.deploy.conftest import end_keepers
from tests.deploy.test_local import Load
from tests.server.live.process import free_port, is_running, save_probe, until

from .conftest import tar_of

Start = Callable[..., "Server"]


class Server:
    """A management server in a process of its own."""

    def __init__(self, **variables: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "yatai-service-start", "--no-ui", f"--grpc-port={self.port}"],
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, 90, "the server")

    @property
    def deployments(self) -> Any:
        return get_yatai_client(f"127.0.0.1:{self.port}").deployment

    def info(self, name: str = "iris") -> dict[str, Any]:
        """What is known of a deployment that runs; empty while it does not."""
        with contextlib.suppress(BentoMLRpcError):
            state = self.deployments.describe("dev", name).state
            found: dict[str, Any] = json.loads(state.info_json)
            return found if state.state == 1 else {}
        return {}

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(90)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        with contextlib.suppress(BentoMLRpcError):
            get_yatai_client(f"127.0.0.1:{self.port}").repository.list(limit=1)
            return True
        return False


@pytest.fixture(scope="session")
def probe_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def db_url() -> None:
    """Operators see no difference between databases: SQLite only."""


@pytest.fixture
def spec(
    registry: Registry, probe_bundle: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.setenv("PROBE_LOG", str(home / "probe.log"))
    version = read_descriptor(probe_bundle).version
    registry.uploads.receive_whole(LOCAL, Tag("Probe", version), [tar_of(probe_bundle)])
    return {
        "operator": "local",
        "bento_name": "Probe",
        "bento_version": version,
        "config": {"grace_s": 10},
    }


@pytest.fixture
def serve(home: Path) -> Iterator[Start]:
    started: list[Server] = []

    def start(**variables: str) -> Server:
        started.append(Server(**variables))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
    end_keepers(home / "deployments")


def test_services_run_on_while_their_server_restarts(serve: Start, spec: dict[str, Any]) -> None:
    first = serve()
    first.deployments.create({"name": "iris", "spec": spec})
    before = until(first.info, 90, "the deployment")
    with Load(before["endpoints"][0], threads=2) as load:
        until(lambda: load.answered > 10, 60)
        assert first.stop() == 0
        seen = load.answered
        until(lambda: load.answered > seen + 20, 60)
        second = serve()
        after = until(second.info, 90, "the adopted deployment")
    assert load.problems == []
    assert (after["process"], after["restarts"]) == (before["process"], 0)
    second.deployments.delete("iris", "dev")
    assert not is_running(before["process"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_services_end_with_their_server_where_that_is_asked_for(
    serve: Start, spec: dict[str, Any], home: Path, number: int
) -> None:
    variables = {"BENTOML_YATAI_DEPLOYMENTS_END_WITH_SERVER": "true"}
    first = serve(**variables)
    first.deployments.create({"name": "iris", "spec": spec})
    before = until(first.info, 90, "the deployment")
    keeper = DeploymentDirectory(home / "deployments" / "dev" / "iris")
    assert first.stop(number) == 0
    assert not is_running(before["process"])
    assert keeper.keeper_pid() is None
    second = serve(**variables)
    after = until(second.info, 90, "the deployment's return")
    assert after["endpoints"] == before["endpoints"]
    assert after["process"] != before["process"]
    assert second.stop() == 0
    assert keeper.keeper_pid() is None


def test_a_range_of_ports_that_is_used_up_is_named(serve: Start, spec: dict[str, Any]) -> None:
    port = free_port()
    server = serve(BENTOML_YATAI_DEPLOYMENT_PORTS=f"{port}-{port}")
    server.deployments.create({"name": "iris", "spec": spec})
    with pytest.raises(BentoMLException, match=f"No port of {port}-{port} is free"):
        server.deployments.create({"name": "second", "spec": spec})
    assert [found.name for found in server.deployments.list(is_all_namespaces=True).deployments] == ["iris"]
    server.deployments.delete("iris", "dev")


@pytest.mark.parametrize("name", ["lambda", "sagemaker", "azure_functions", "ec2"])
@pytest.mark.parametrize("verb", ["create", "update"])
def test_methods_for_clouds_name_what_is_supported(home: Path, name: str, verb: str) -> None:
    method = getattr(get_yatai_client().deployment, f"{verb}_{name}_deployment")
    with pytest.raises(BentoMLException, match="Supported are the operators docker, local, podman"):
        method("name", bento_name="Iris", bento_version="1", region="somewhere")


@pytest.mark.parametrize("operator", ["aws-lambda", "aws-sagemaker", "azure-functions", "aws-ec2", "lambda"])
def test_documents_of_013_for_clouds_name_what_is_supported(
    registry: Registry, spec: dict[str, Any], operator: str
) -> None:
    client = get_yatai_client().deployment
    with pytest.raises(BentoMLException, match="bentoml containerize"):
        client.create({"name": "cloud", "spec": {**spec, "operator": operator, "config": {}}})
    assert client.list(is_all_namespaces=True).deployments == []
