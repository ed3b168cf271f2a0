"""list, get, delete, retrieve, repair: what they print, and how they end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from bentoml.repository.local import LocalRepository

Run = Callable[..., Result]
Add = Callable[..., Path]


def test_list_is_a_plain_aligned_table_in_a_pipe(run: Run, add: Add) -> None:
    add("Iris", "1", {"env": "prod", "team": "core"})
    add("LongerName", "20210926174550_16DCF9")
    result = run("list")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    header, newest, oldest, label = lines
    assert header.split() == ["BENTO_SERVICE", "AGE", "APIS", "ARTIFACTS", "LABELS"]
    assert newest.startswith("LongerName:20210926174550_16DCF9  ")
    assert oldest.startswith("Iris:1 ")
    for line in (newest, oldest):
        assert line.index("predict<JsonInput:DefaultOutput>") == header.index("APIS")
        assert line.index("model<PickleArtifact>") == header.index("ARTIFACTS")
    assert oldest.index("env:prod") == label.index("team:core") == header.index("LABELS")
    assert re.search(r"\d+ years and \d+ weeks?|\d+ years", newest)
    assert all(line == line.rstrip() for line in lines)


def test_list_wide_shows_time_and_place_whole(run: Run, add: Add) -> None:
    path = add("Iris", "1")
    header, row = run("list", "-o", "wide").output.splitlines()
    assert header.split() == ["BENTO_SERVICE", "CREATED_AT", "APIS", "ARTIFACTS", "LABELS", "URI"]
    assert "2021-09-26 17:45  " in row
    assert row.endswith(f"  {path}")


def test_list_as_one_json_or_yaml_document(run: Run, add: Add) -> None:
    add("Iris", "1")
    add("Iris", "2")
    from_json = json.loads(run("list", "-o", "json").output)
    assert [record["version"] for record in from_json] == ["2", "1"]
    assert from_json[0]["bentoServiceMetadata"]["apis"][0]["inputType"] == "JsonInput"
    assert yaml.safe_load(run("list", "-o", "yaml").output) == from_json


def test_list_filters_orders_and_limits(run: Run, add: Add) -> None:
    for number in range(45):
        add("Iris", str(number), {"parity": str(number % 2)})
    rows = run("list").output.splitlines()[1:]
    assert len(rows) == 40
    assert rows[0].startswith("Iris:44 ")
    assert len(run("list", "--limit", "100").output.splitlines()) == 46
    assert run("list", "--limit", "1", "--offset", "2").output.splitlines()[1].startswith("Iris:42 ")
    assert run("list", "--ascending-order").output.splitlines()[1].startswith("Iris:0 ")
    assert run("list", "--order-by", "name", "--ascending-order", "--limit", "2").exit_code == 0
    odd = run("list", "--labels", "parity In (1)", "--limit", "100").output.splitlines()[1:]
    assert len(odd) == 22


def test_empty_list_is_a_header(run: Run) -> None:
    assert run("list").output == "BENTO_SERVICE  AGE  APIS  ARTIFACTS  LABELS\n"


def test_get_prints_one_record_as_json(run: Run, add: Add) -> None:
    path = add("Iris", "1", {"env": "prod"})
    record = json.loads(run("get", "Iris:latest").output)
    assert list(record) == ["name", "version", "uri", "bentoServiceMetadata", "status"]
    assert record["uri"] == {"type": "LOCAL", "uri": str(path)}
    assert record["status"] == {"status": "DONE"}
    assert record["bentoServiceMetadata"]["labels"] == {"env": "prod"}
    assert yaml.safe_load(run("get", "Iris:1", "-o", "yaml").output) == record


def test_get_print_location_is_for_scripts(run: Run, add: Add) -> None:
    path = add("Iris", "1")
    assert run("get", "Iris:latest", "--print-location").output == f"{path}\n"


def test_get_of_a_name_is_a_table(run: Run, add: Add) -> None:
    add("Iris", "1", {"env": "prod"})
    add("Other", "1")
    add("Iris", "2")
    assert [line.split()[0] for line in run("get", "Iris").output.splitlines()[1:]] == ["Iris:2", "Iris:1"]
    assert len(run("get", "Iris", "--labels", "env=prod").output.splitlines()) == 2
    assert len(run("get", "Iris", "--limit", "1", "-o", "wide").output.splitlines()) == 2


def test_unknown_tag_is_one_line_and_exit_code_1(run: Run, add: Add) -> None:
    add("Iris", "1")
    result = run("get", "Iris:2")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Error: bentoml-cli get failed: BentoService Iris:2 not found - NOT_FOUND:BentoService `Iris:2` is "
        "not found. Did you mean 'Iris:1'?\n"
    )


@pytest.mark.parametrize("bento", ["../x:1", "Iris:..", "a/b:1", "$(x):1", "Iris:1:2", "é:1", "Iris:"])
@pytest.mark.parametrize("command", ["get", "retrieve", "info", "serve"])
def test_N_hostile_tags_are_refused(run: Run, add: Add, home: Path, command: str, bento: str) -> None:
    add("Iris", "1")
    before = sorted(home.rglob("*"))
    result = run(command, bento)
    assert result.exit_code == 1
    assert "Invalid BentoService" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(home.rglob("*")) == before


def test_bad_label_query_is_exit_code_1(run: Run) -> None:
    result = run("list", "--labels", "a In (b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "bentoml-cli list failed: Invalid label query" in result.stderr


def test_delete_asks_and_logs(run: Run, add: Add, repository: LocalRepository) -> None:
    add("Iris", "1")
    result = run("delete", "Iris:1", input="n\n")
    assert result.exit_code == 0
    assert "Permanently delete Iris:1? [y/N]: n" in result.output
    assert len(repository.list()) == 1
    result = run("delete", "Iris:1", input="y\n")
    assert "INFO - Deleting saved Bento bundle Iris:1\n" in result.output
    assert "INFO - Deleted Iris:1\n" in result.output
    assert repository.list() == []


def test_delete_of_several_targets(run: Run, add: Add, repository: LocalRepository) -> None:
    for name, version in (("A", "1"), ("A", "2"), ("B", "1"), ("C", "1"), ("C", "2")):
        add(name, version, {"v": version})
    assert run("delete", "A,B:1", "-y").exit_code == 0
    assert [record.tag for record in repository.list()] == ["C:2", "C:1"]
    assert run("delete", "C", "--labels", "v=2", "--assume-yes").exit_code == 0
    assert [record.tag for record in repository.list()] == ["C:1"]


def test_delete_removes_more_than_one_page(run: Run, add: Add, repository: LocalRepository) -> None:
    for number in range(60):
        add("Iris", str(number), {"env": "dev"})
    assert run("delete", "--labels", "env=dev", "--yes").exit_code == 0
    assert repository.list() == []


def test_delete_without_target_needs_all(run: Run, add: Add, repository: LocalRepository) -> None:
    add("Iris", "1")
    result = run("delete", "-y")
    assert result.exit_code == 2
    assert "--all for every saved bundle" in result.stderr
    assert len(repository.list()) == 1
    assert run("delete", "--all", "-y").exit_code == 0
    assert repository.list() == []


def test_delete_refuses_bad_and_unknown_targets(run: Run, add: Add) -> None:
    add("Iris", "1")
    assert run("delete", "Iris:1,../x", "-y").exit_code == 2
    result = run("delete", "Iris:7", "-y")
    assert result.exit_code == 1
    assert "bentoml-cli delete failed: BentoService Iris:7 not found" in result.stderr


def test_retrieve_copies_to_a_new_directory(
    run: Run, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("Iris", "1")
    monkeypatch.chdir(tmp_path)
    result = run("retrieve", "Iris:latest", "--target_dir", "copy")
    assert result.output == "Save Iris:latest artifact to directory copy\n"
    assert (tmp_path / "copy/Iris/artifacts/model.pkl").read_bytes() == b"weights"
    assert run("retrieve", "Iris:1").exit_code == 0
    assert (tmp_path / "Iris-1/bentoml.yml").is_file()
    again = run("retrieve", "Iris:1", "--target_dir", "copy")
    assert again.exit_code == 1
    assert "bentoml-cli retrieve failed" in again.stderr


def test_F26_repair_from_the_command_line(run: Run, add: Add, repository: LocalRepository) -> None:
    add("Iris", "1")
    repository.database.write_text("damaged")
    result = run("list")
    assert result.exit_code == 1
    assert "is damaged (file is not a database). Restore a copy of it, or rebuild it" in result.stderr
    result = run("repair")
    assert result.exit_code == 0
    assert "Added Iris:1\n1 bundles added, 0 skipped\n" in result.output
    assert run("list").output.splitlines()[1].startswith("Iris:1 ")


@pytest.mark.parametrize(
    "command", [["list"], ["get", "A:1"], ["delete", "A"], ["retrieve", "A:1"], ["info", "A:1"]]
)
def test_remote_servers_that_do_not_answer_are_named(
    run: Run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bentoml.rpc.channel.FIRST_PAUSE_S", 0.001)
    result = run(*command, "--yatai-url", "127.0.0.1:1")
    assert result.exit_code == 1
    assert "The Yatai server at '127.0.0.1:1' cannot be reached" in result.stderr


def test_a_mistyped_name_is_no_silent_success(run: Run, add: Add) -> None:
    add("Iris", "1")
    shown = run("get", "Irsi")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("BENTO_SERVICE")
    assert "There is no saved bundle named 'Irsi'. Did you mean 'Iris'?" in shown.stderr
    assert "Did you mean 'Iris'?" in run("delete", "Irsi", "-y").output
    assert "no saved bundle" not in run("get", "Iris", "--labels", "team=none").output
