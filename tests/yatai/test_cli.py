"""The commands a user types: pushing, pulling, and `bentoml yatai …`, on a server and on the own home."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bentoml.cli.main import commandline_interface
from bentoml.repository.base import BundleRecord
from bentoml.repository.local import LocalRepository
from tests.repository.bundles import make_bundle

from .conftest import Running

Add = Callable[..., BundleRecord]


def bentoml(*arguments: str) -> Result:
    return CliRunner().invoke(commandline_interface, arguments)


def output_of(*arguments: str) -> str:
    result = bentoml(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def client_home(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalRepository:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "client"))
    return LocalRepository(tmp_path / "client")


def test_push_list_get_pull_and_delete(server: Running, client_home: LocalRepository, tmp_path: Path) -> None:
    client_home.add_directory(make_bundle(tmp_path / "made", "Iris", "1"), {"env": "prod"})
    at = f"--yatai-url={server.address}"
    assert f"Pushed Iris:1 to {server.address}" in output_of("push", "Iris:1", at)
    assert "Iris:1" in output_of("list", at)
    record = json.loads(output_of("get", "Iris:1", at))
    assert record["bentoServiceMetadata"]["labels"] == {"env": "prod"}
    assert "Save Iris:1 artifact" in output_of(
        "retrieve", "Iris:1", at, "--target_dir", str(tmp_path / "there")
    )
    assert json.loads(output_of("info", "Iris:1", at))["name"] == "Iris"
    output_of("delete", "Iris:1", "-y")
    assert f"Pulled Iris:1 from {server.address}" in output_of("pull", "Iris:1", at)
    assert client_home.get("Iris", "1").labels == {"env": "prod"}
    output_of("delete", "Iris:1", "-y", at)
    assert "Iris:1" not in output_of("list", at)
    assert "Restored" in output_of("yatai", "restore", "Iris:1", at)
    assert "Iris:1" in output_of("list", at)


def test_a_bare_name_is_refused(server: Running) -> None:
    result = bentoml("push", "Iris", f"--yatai-url={server.address}")
    assert result.exit_code == 1
    assert "BentoService Iris invalid - specify name:version" in result.output


@pytest.mark.parametrize("remote", [True, False], ids=["server", "home"])
def test_aliases_labels_notes_compare_prune_and_events(server: Running, add: Add, remote: bool) -> None:
    if not remote and server.settings.yatai.database_url:
        pytest.skip("the home of this test has its database elsewhere")
    for version in ("1", "2", "3"):
        add("Iris", version, content=version.encode())
    at = [f"--yatai-url={server.address}"] if remote else []
    assert "Iris@prod points to Iris:1" in output_of("yatai", "alias", "set", "Iris@prod", "1", *at)
    assert "Iris:2" in output_of("yatai", "alias", "set", "Iris@prod", "2", "--expect", "1", *at)
    assert bentoml("yatai", "alias", "set", "Iris@prod", "3", "--expect", "1", *at).exit_code == 1
    assert "Iris:1 again" in output_of("yatai", "alias", "rollback", "Iris@prod", *at)
    assert "Iris@prod" in output_of("yatai", "alias", "list", *at)
    assert len(json.loads(output_of("yatai", "alias", "history", "Iris@prod", "-o", "json", *at))) == 3
    assert output_of("yatai", "label", "Iris@prod", "env=prod", "team=a", *at).strip() == "env=prod, team=a"
    assert output_of("yatai", "label", "Iris:1", "team-", *at).strip() == "env=prod"
    output_of("yatai", "note", "Iris:1", "good one", *at)
    differences = json.loads(output_of("yatai", "compare", "Iris:1", "Iris:2", "-o", "json", *at))
    assert differences["labels"]["removed"] == [{"name": "env", "value": "prod"}]
    assert differences["same_content"] is False
    assert output_of("yatai", "prune", "--keep-last", "1", *at).strip() == "Would delete Iris:2"
    assert output_of("yatai", "prune", "--keep-last", "1", "--delete", *at).strip() == "Deleted Iris:2"
    events = json.loads(output_of("yatai", "events", "Iris", "-o", "json", *at))
    assert [event["action"] for event in events[:3]] == ["bundle.delete", "note.update", "labels.update"]
    assert "Removed" in output_of("yatai", "alias", "delete", "Iris@prod", *at)


def test_tokens_are_made_shown_once_listed_and_revoked(server: Running) -> None:
    at = f"--yatai-url={server.address}"
    secret = output_of("yatai", "token", "create", "ci", "--scope", "write", "--days", "30", at).strip()
    assert secret.startswith("ybt_")
    listed = output_of("yatai", "token", "list", at)
    assert "ci" in listed
    assert secret not in listed
    assert server.registry.tokens.authenticate(secret).name == "ci"
    output_of("yatai", "token", "revoke", "ci", at)
    assert "revoked" in output_of("yatai", "token", "list", at)
    assert bentoml("yatai", "token", "create", "x", "--scope", "root", at).exit_code == 2


def test_alias_works_where_bundles_are_named(client_home: LocalRepository, tmp_path: Path) -> None:
    client_home.add_directory(make_bundle(tmp_path / "made", "Iris", "1"))
    output_of("yatai", "alias", "set", "Iris@prod", "1")
    assert json.loads(output_of("info", "Iris@prod"))["version"] == "1"
    assert json.loads(output_of("get", "Iris@prod"))["version"] == "1"
