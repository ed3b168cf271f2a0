"""Deployments through a real server: RPCs, commands and the client, with real services."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner, Result

from bentoml.bundle.descriptor import read_descriptor
from bentoml.cli.main import commandline_interface
from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.exceptions import AlreadyExists, BentoMLException, BentoMLRpcError, InvalidArgument
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.client import get_yatai_client
from bentoml.yatai.db.deployments import Deployment
from bentoml.yatai.watch import Watch
from tests.deploy.conftest import end_keepers
from tests.server.live.process import free_port, is_running, save_probe, until

from .conftest import Running, tar_of
from .wire import Wire

DOCUMENT = """
name: iris-prod
namespace: shop
labels: {team: flowers}
spec:
  operator: local
  bento_name: Probe
  bento_version: "VERSION"
  local_operator_config: {workers: 1, grace_s: 5}
"""


@pytest.fixture(scope="session")
def probe_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def db_url() -> None:
    """Operators see no difference between databases: SQLite only."""


@pytest.fixture
def version(
    server: Running, probe_bundle: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The version of the probe in the registry."""
    monkeypatch.setenv("PROBE_LOG", str(home / "probe.log"))
    found = read_descriptor(probe_bundle).version
    server.registry.uploads.receive_whole(LOCAL, Tag("Probe", found), [tar_of(probe_bundle)])
    yield found
    end_keepers(home / "deployments")


def bentoml(*arguments: str) -> Result:
    return CliRunner().invoke(commandline_interface, arguments)


def output_of(*arguments: str) -> str:
    result = bentoml(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_commands_deploy_describe_and_delete(server: Running, version: str, tmp_path: Path) -> None:
    at = f"--yatai-url={server.address}"
    file = tmp_path / "iris.yaml"
    file.write_text(DOCUMENT.replace("VERSION", version))
    plan = json.loads(output_of("deployment", "create", "-f", str(file), "--dry-run", at))
    assert plan == {"action": "create", "changes": [f"start Probe:{version}"]}
    made = json.loads(output_of("deployment", "create", "-f", str(file), at))
    assert made["state"]["state"] == "RUNNING"
    assert made["spec"]["config"] == {"workers": 1, "grace_s": 5}
    again = bentoml("deployment", "create", "-f", str(file), at)
    assert again.exit_code == 1 and "already exists" in again.output
    described = json.loads(output_of("deployment", "describe", "iris-prod", "-n", "shop", at))
    process = described["info"]["process"]
    assert is_running(process)
    table = output_of("deployment", "list", at)
    assert table.split()[:6] == ["NAME", "NAMESPACE", "PLATFORM", "BENTO_SERVICE", "STATE", "AGE"]
    assert "RUNNING" in table and "iris-prod" in table
    assert "iris-prod" not in output_of("deployment", "list", "--labels", "team=other", at)
    assert "iris-prod" in output_of("deployment", "list", "-p", "local", "-o", "wide", at)
    assert "iris-prod" not in output_of("deployment", "list", "-p", "sagemaker", at)
    assert "keeper: revision 1 serves" in output_of("deployment", "logs", "iris-prod", "-n", "shop", at)
    assert json.loads(output_of("deployment", "metrics", "iris-prod", "-n", "shop", at))["workers"] == 1
    changed = ("apply", "-f", str(file), "--set", "workers=2", "-o", "json", at)
    assert json.loads(output_of("deployment", *changed))["state"]["info"]["serving_revision"] == 2
    assert "deleted" in output_of("deployment", "delete", "iris-prod", "-n", "shop", at)
    assert not is_running(process)
    missing = bentoml("deployment", "get", "iris-prod", "-n", "shop", at)
    assert missing.exit_code == 1 and "not found" in missing.output


def test_the_python_client_and_the_audit_log(server: Running, version: str) -> None:
    client = get_yatai_client(server.address).deployment
    spec = {"operator": "local", "bento_name": "Probe", "bento_version": version}
    answer = client.create({"name": "iris", "spec": spec}, wait=True)
    assert (answer.status.status_code, answer.deployment.namespace) == (0, "dev")
    assert answer.deployment.state.state == 1
    with pytest.raises(AlreadyExists):
        client.create({"name": "iris", "spec": spec})
    assert [one.name for one in client.list(is_all_namespaces=True).deployments] == ["iris"]
    client.restart("dev", "iris")
    client.delete("iris", "dev")
    actions = [event.action for event in server.registry.events.find(LOCAL, resource="dev/iris")]
    assert actions == ["deployment.delete", "deployment.restart", "deployment.create"]


def test_wrong_deployments_leave_no_record(server: Running, version: str) -> None:
    client = get_yatai_client(server.address).deployment
    good = {"operator": "local", "bento_name": "Probe", "bento_version": version}
    for name, spec, message in (
        ("iris", {**good, "bento_version": "latest"}, "cannot be 'latest'"),
        ("iris", {**good, "bento_version": "nope"}, "is not found"),
        ("iris", {**good, "operator": "moon"}, "no operator; choose from"),
        ("iris", {**good, "config": {"worker": 1}}, "Did you mean 'workers'"),
        ("iris", {**good, "bento_version": 20261125191052}, "write it in quotes"),
        ("abc", good, "no deployment name"),
        ("../../etc", good, "no deployment name"),
    ):
        with pytest.raises(BentoMLException, match=message):
            client.apply({"name": name, "spec": spec})
    with pytest.raises(InvalidArgument, match="no key 'spek'"):
        client.apply({"name": "iris", "spek": good})
    assert client.list(is_all_namespaces=True).deployments == []


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_clouds_of_013_answer_with_what_is_supported(old_wire: Wire, version: str, number: int) -> None:
    spec = {"bento_name": "Probe", "bento_version": version, "operator": number}
    answer = old_wire.call("ApplyDeployment", deployment={"name": "iris", "spec": spec})
    assert answer["status"]["status_code"] == 3
    assert "Supported are the operators" in answer["status"]["error_message"]


@pytest.mark.parametrize("group", ["lambda", "sagemaker", "azure-functions", "ec2"])
@pytest.mark.parametrize("action", ["deploy", "update", "delete", "get", "list"])
def test_cloud_groups_name_the_supported_ways(group: str, action: str) -> None:
    result = bentoml(group, action, "name", "-b", "Iris:1", "--region", "somewhere")
    assert result.exit_code == 1
    assert "bentoml deployment create NAME --operator local" in result.output


def test_a_reader_may_look_but_not_deploy(server: Running, wire: Wire) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        wire.call("GetDeploymentLogs", deployment={"name": "nothing"})
    assert failure.value.code() == grpc.StatusCode.NOT_FOUND


def test_P21_a_killed_server_leaves_services_running_and_its_successor_finds_them(
    server: Running, version: str, home: Path
) -> None:
    spec = {"operator": "local", "bento_name": "Probe", "bento_version": version}
    command = [sys.executable, "-m", "bentoml", "yatai-service-start", "--no-ui"]

    def start(port: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command, f"--grpc-port={port}"], stdout=subprocess.DEVNULL)

    def state_at(port: int) -> dict[str, object]:
        try:
            state = get_yatai_client(f"127.0.0.1:{port}").deployment.describe("dev", "iris").state
        except BentoMLRpcError:
            return {}
        info: dict[str, object] = json.loads(state.info_json)
        return info if state.state == 1 else {}

    first_port, second_port = free_port(), free_port()
    first = start(first_port)
    try:
        until(lambda: _answers(first_port), 60, "the first server")
        get_yatai_client(f"127.0.0.1:{first_port}").deployment.create({"name": "iris", "spec": spec})
        before = state_at(first_port)
    finally:
        first.kill()
        first.wait()
    assert is_running(int(str(before["process"])))
    os.kill(int(str(before["process"])), signal.SIGKILL)  # nobody but the keeper is there now
    keeper = DeploymentDirectory(home / "deployments" / "dev" / "iris")
    until(
        lambda: (keeper.status().get("serving") or {}).get("pid", before["process"]) != before["process"], 60
    )
    os.kill(keeper.keeper_pid() or 0, signal.SIGKILL)
    second = start(second_port)
    try:
        after = until(lambda: state_at(second_port), 90, "the adopted deployment")
        assert after["endpoints"] == before["endpoints"]
        get_yatai_client(f"127.0.0.1:{second_port}").deployment.delete("iris", "dev")
        assert keeper.keeper_pid() is None
    finally:
        second.terminate()
        second.wait()


def test_looking_after_deployments_revives_no_deleted_one_and_leaves_those_of_013(
    server: Running, version: str, home: Path
) -> None:
    spec = {"bento_name": "Probe", "bento_version": version, "operator": "aws-lambda"}
    server.registry.deployments.save(LOCAL, Deployment("dev", "cloud", spec, {"state": "RUNNING"}))
    client = get_yatai_client(server.address).deployment
    local = {"operator": "local", "bento_name": "Probe", "bento_version": version}
    client.create({"name": "iris", "spec": local})
    watch = Watch(server.registry, server.server.history)
    watch.look()
    client.delete("iris", "dev")
    watch.look()
    assert not list((home / "deployments").glob("*/*/plan.json"))
    assert client.get("dev", "cloud").deployment.state.state == 1
    client.delete("cloud", "dev", force_delete=True)
    assert client.list(is_all_namespaces=True).deployments == []


def _pid_of(keeper: DeploymentDirectory) -> int | None:
    """The process that serves, or None."""
    pid: int | None = (keeper.status().get("serving") or {}).get("pid")
    return pid


def _answers(port: int) -> bool:
    with contextlib.suppress(BentoMLRpcError):
        get_yatai_client(f"127.0.0.1:{port}").repository.list(limit=1)
        return True
    return False
