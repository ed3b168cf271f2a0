"""What users see of the repository: adding, finding, listing, deleting, and names at every entry."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.exceptions import (
    AlreadyExists,
    BentoMLException,
    BundleCorrupted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from bentoml.repository.local import LocalRepository
from bentoml.repository.staging import AREA

from .bundles import make_bundle

Add = Callable[..., Path]
COLUMNS = "name, version, uri, uri_type, bento_service_metadata, upload_status, deleted"


def tags(repository: LocalRepository, **options: object) -> list[str]:
    return [record.tag for record in repository.list(**options)]  # type: ignore[arg-type]


def test_added_bundle_is_a_copy_with_its_record(repository: LocalRepository, add: Add) -> None:
    path = add("Iris", "1.0.0+b1", {"env": "prod", "t": "x"})
    assert path == repository.path / "Iris" / "1.0.0+b1"
    assert (path / "Iris/artifacts/model.pkl").read_bytes() == b"weights"
    assert (path / "entry.sh").stat().st_mode & 0o100
    record = repository.get("Iris", "1.0.0+b1")
    assert (record.tag, record.uri, record.status) == ("Iris:1.0.0+b1", str(path), "DONE")
    assert record.labels == {"env": "prod", "t": "x"}
    assert record.to_dict()["uri"] == {"type": "LOCAL", "uri": str(path)}
    metadata = record.to_dict()["bentoServiceMetadata"]
    assert metadata["createdAt"].startswith("2021-09-26T17:45:50.123456")
    assert metadata["apis"][0]["mbMaxBatchSize"] == 4000
    assert metadata["artifacts"][0]["artifactType"] == "PickleArtifact"
    assert metadata["labels"] == {"env": "prod", "t": "x"}


def test_saved_line_has_the_format_users_know(add: Add, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("bentoml").handlers.clear()
    path = add("Iris", "7")
    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert line.endswith(f"INFO - BentoService bundle 'Iris:7' saved to: {path}")
    assert line.startswith("[20")


def test_second_bundle_of_the_same_tag_is_refused(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    with pytest.raises(AlreadyExists) as caught:
        add("Iris", "1")
    assert str(caught.value) == (
        "BentoService bundle Iris:1 already registered in repository. Reset BentoService version with "
        "BentoService#set_version or bypass BentoML's model registry feature with BentoService#save_to_dir"
    )
    assert tags(repository) == ["Iris:1"]


def test_deleted_tag_can_be_added_again(repository: LocalRepository, add: Add) -> None:
    path = add("Iris", "1", {"env": "old"})
    repository.delete("Iris", "1")
    assert not path.exists()
    assert tags(repository) == []
    with pytest.raises(NotFound, match="NOT_FOUND:BentoService `Iris:1` is not found"):
        repository.get("Iris", "1")
    add("Iris", "1")
    assert repository.get("Iris", "latest").labels == {}


def test_latest_is_the_one_added_last(repository: LocalRepository, add: Add) -> None:
    add("Iris", "2", created_at="2030-01-01 00:00:00.000000")
    add("Iris", "1", created_at="2001-01-01 00:00:00.000000")
    add("Other", "9")
    assert repository.get("Iris", "latest").version == "1"
    assert repository.get("Iris", "LATEST").version == "1"
    repository.delete("Iris", "1")
    assert repository.get("Iris").version == "2"


def test_P18_clock_jumps_do_not_change_the_order(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    with sqlite3.connect(repository.database) as connection:
        connection.execute("UPDATE bentos SET created_at = '2999-01-01 00:00:00.000000'")
    add("Iris", "2")
    assert repository.get("Iris").version == "2"
    assert tags(repository) == ["Iris:2", "Iris:1"]


def test_list_orders_pages_and_filters(repository: LocalRepository, add: Add) -> None:
    for name, version in (("B", "1"), ("A", "1"), ("B", "2"), ("C", "1")):
        add(name, version, {"n": name, "v": version})
    assert tags(repository) == ["C:1", "B:2", "A:1", "B:1"]
    assert tags(repository, ascending=True) == ["B:1", "A:1", "B:2", "C:1"]
    assert tags(repository, order_by="name", ascending=True) == ["A:1", "B:1", "B:2", "C:1"]
    assert tags(repository, offset=1, limit=2) == ["B:2", "A:1"]
    assert tags(repository, name="B") == ["B:2", "B:1"]
    assert tags(repository, labels="n In (A, B), v=1") == ["A:1", "B:1"]
    assert tags(repository, labels="v=1", offset=1, limit=1) == ["A:1"]
    assert tags(repository, labels="missing DoesNotExist") == ["C:1", "B:2", "A:1", "B:1"]
    for wrong in ({"order_by": "size"}, {"limit": -1}, {"offset": -1}, {"labels": "a=="}, {"name": "../x"}):
        with pytest.raises(InvalidArgument):
            repository.list(**wrong)  # type: ignore[arg-type]


def test_more_than_a_thousand_bundles_are_filtered_by_label(repository: LocalRepository, add: Add) -> None:
    add("A", "0", {"n": "0"})
    with sqlite3.connect(repository.database) as connection:
        connection.executemany(
            f"INSERT INTO bentos (id, {COLUMNS}) SELECT ?, name, ?, uri, uri_type, bento_service_metadata,"
            " upload_status, 0 FROM bentos WHERE id = 1",
            [(i, str(i)) for i in range(2, 1202)],
        )
        connection.executemany(
            "INSERT INTO labels (resource_type, resource_id, key, value) VALUES ('bento', ?, 'n', ?)",
            [(i, str(i % 2)) for i in range(2, 1202)],
        )
    assert len(repository.list(labels="n=1")) == 600
    assert repository.list(labels="n=1", limit=1)[0].version == "1201"


def test_suggestions_for_mistyped_names(repository: LocalRepository, add: Add) -> None:
    add("IrisClassifier", "20210926174550_16DCF9")
    with pytest.raises(NotFound, match="Did you mean 'IrisClassifier:20210926174550_16DCF9'"):
        repository.get("IrisClassifier", "20210926174550_16DCF0")
    with pytest.raises(NotFound, match="Did you mean 'IrisClassifier:latest'"):
        repository.get("IrisClasifier", "1")
    with pytest.raises(NotFound, match=r'in the form of "name:version"\. Did you mean'):
        repository.resolve("IrisClassifier")


def test_resolve_prefers_a_directory(
    repository: LocalRepository, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = add("Iris", "1")
    monkeypatch.chdir(tmp_path)
    assert repository.resolve("Iris:latest") == path
    (tmp_path / "Iris:latest").mkdir()
    assert repository.resolve("Iris:latest") == Path("Iris:latest")
    with pytest.raises(NotFound, match='BentoService "Nope" not found - either specify the file path'):
        repository.resolve("Nope")
    with pytest.raises(BentoMLException, match="remote address"):
        repository.resolve("s3://bucket/x")


def test_moved_home_still_finds_its_bundles(repository: LocalRepository, add: Add, tmp_path: Path) -> None:
    add("Iris", "1")
    shutil.move(repository.home, tmp_path / "moved")
    moved = LocalRepository(tmp_path / "moved")
    assert moved.get("Iris").uri == str(tmp_path / "moved/repository/Iris/1")
    assert moved.resolve("Iris:1").is_dir()


def test_missing_files_are_reported_and_can_be_deleted(repository: LocalRepository, add: Add) -> None:
    shutil.rmtree(add("Iris", "1"))
    assert repository.get("Iris").status == "ERROR"
    with pytest.raises(FailedPrecondition, match="bentoml delete Iris:1"):
        repository.resolve("Iris:latest")
    repository.delete("Iris", "1")
    assert tags(repository) == []


def test_unfinished_rows_of_013_are_never_latest(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    with sqlite3.connect(repository.database) as connection:
        connection.execute(
            f"INSERT INTO bentos ({COLUMNS})"
            " VALUES ('Iris', '2', '/nowhere', 'LOCAL', '{}', '{\"status\": \"UNINITIALIZED\"}', 0)"
        )
    assert repository.get("Iris").version == "1"
    assert tags(repository) == ["Iris:1"]
    add("Iris", "2")
    assert repository.get("Iris").version == "2"


def test_N_names_in_the_database_are_checked(
    repository: LocalRepository, add: Add, caplog: pytest.LogCaptureFixture
) -> None:
    add("Iris", "1")
    with sqlite3.connect(repository.database) as connection:
        connection.execute(
            f"INSERT INTO bentos ({COLUMNS})"
            " VALUES ('../../x', '..', '/etc', 'LOCAL', '{}', '{\"status\": \"DONE\"}', 0)"
        )
    logging.getLogger("bentoml").propagate = True
    assert tags(repository) == ["Iris:1"]
    assert "is ignored" in caplog.text


@pytest.mark.parametrize("name", ["..", "a/b", "/a", "a\\b", "-rf", "a:b", "$HOME", "é", "a" * 129, ""])
def test_N_hostile_names_touch_nothing(repository: LocalRepository, add: Add, name: str) -> None:
    add("Iris", "1")
    before = sorted(repository.home.rglob("*"))
    for call in (repository.get, repository.delete):
        with pytest.raises(InvalidArgument, match="Invalid BentoService"):
            call(name, "1")
        with pytest.raises(InvalidArgument, match="Invalid BentoService"):
            call("Iris", name)
    assert sorted(repository.home.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "version"), [("..", "1"), ("Iris", "../../x"), ("a/b", "1"), ("Iris", "latest")]
)
def test_N_hostile_names_inside_a_bundle_are_refused(
    repository: LocalRepository, add: Add, name: str, version: str, tmp_path: Path
) -> None:
    add("Iris", "1")
    source = make_bundle(tmp_path / "source", "Iris", "2", library="0.13.1")
    text = (source / "bentoml.yml").read_text().replace("service_name: Iris", f"service_name: '{name}'")
    (source / "bentoml.yml").write_text(text.replace("service_version: '2'", f"service_version: '{version}'"))
    before = sorted(repository.home.rglob("*"))
    with pytest.raises(BundleCorrupted):
        repository.add_directory(source)
    assert sorted(repository.home.rglob("*")) == before


def test_name_that_leads_out_of_the_repository_is_refused(
    repository: LocalRepository, add: Add, tmp_path: Path
) -> None:
    add("Iris", "1")
    (tmp_path / "outside").mkdir()
    (repository.path / "Evil").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidArgument, match="leads out of the repository"):
        add("Evil", "1")
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "linked"])
def test_P12_damaged_source_is_refused_and_named(
    repository: LocalRepository, tmp_path: Path, damage: str
) -> None:
    source = make_bundle(tmp_path / "source")
    model = source / "Tiny/artifacts/model.pkl"
    if damage == "changed":
        model.write_bytes(b"weightz")
    elif damage == "added":
        model.with_name("extra.pkl").write_bytes(b"x")
    else:
        model.unlink()
        if damage == "linked":
            model.symlink_to("/etc/hostname")
    with pytest.raises(BundleCorrupted, match="extra.pkl" if damage == "added" else "model.pkl"):
        repository.add_directory(source)
    assert tags(repository) == []
    assert list((repository.path / AREA).iterdir()) == []


def test_bundle_of_013_without_manifest_is_added(repository: LocalRepository, add: Add) -> None:
    assert add("Old", "1", library="0.13.1").is_dir()


def test_directory_without_row_is_replaced(repository: LocalRepository, add: Add) -> None:
    add("Other", "1")
    make_bundle(repository.path / "Iris/1", "Iris", "1", content=b"leftover")
    path = add("Iris", "1")
    assert (path / "Iris/artifacts/model.pkl").read_bytes() == b"weights"


def test_nothing_is_left_in_the_working_area(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    add("Iris", "2")
    repository.delete("Iris", "1")
    assert list((repository.path / AREA).iterdir()) == []
    assert sorted(path.name for path in repository.home.iterdir()) == ["repository", "storage.db"]


def test_delete_of_latest_is_refused(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1")
    with pytest.raises(InvalidArgument, match="name the version"):
        repository.delete("Iris", "latest")
    with pytest.raises(NotFound, match="Did you mean 'Iris:1'"):
        repository.delete("Iris", "2")


def test_files_outside_the_repository_are_never_removed(
    repository: LocalRepository, add: Add, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add("Iris", "1")
    elsewhere = LocalRepository(repository.home, directory=tmp_path / "elsewhere")
    path = elsewhere.add_directory(make_bundle(tmp_path / "two", "Iris", "2"))
    assert repository.resolve("Iris:latest") == path
    logging.getLogger("bentoml").propagate = True
    repository.delete("Iris", "2")
    assert path.is_dir()
    assert f"at '{path}' are outside this repository" in caplog.text
    assert tags(repository) == ["Iris:1"]
