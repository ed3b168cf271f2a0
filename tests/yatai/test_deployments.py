"""Deployments through a real server: RPCs, commands and the client, with real services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner, Result

from bentoml.cli.main import commandline_interface
from bentoml.exceptions import AlreadyExists, BentoMLException, InvalidArgument
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL
from bentoml.yatai.client import get_yatai_client
from tests.deploy.conftest import end_keepers
from tests.server.live.process import is_running, save_probe

from .conftest import Running, tar_of
from .wire import Wire

DOCUMENT = """
name: iris-prod
namespace: shop
labels: {team: flowers}
spec:
  operator: local
  bento_name: Probe
  bento_version: VERSION
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
    text = (probe_bundle / "bentoml.yml").read_text()
    found = next(line.split(":", 1)[1].strip() for line in text.splitlines() if "service_version" in line)
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
