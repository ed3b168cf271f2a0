"""Databases of 0.13, of the future, damaged ones, and none at all (P19, F26)."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bentoml.exceptions import BentoMLException, FailedPrecondition
from bentoml.repository import schema
from bentoml.repository.engine import open_engine, run
from bentoml.repository.local import LocalRepository
from bentoml.repository.migrate import migration_config
from bentoml.repository.models import PARTIAL_INDEXES, metadata
from bentoml.repository.repair import repair

from .bundles import make_bundle

Add = Callable[..., Path]
OLD_DATABASE = Path(__file__).parent / "fixtures" / "storage_013.db"


@pytest.fixture
def old_home(tmp_path: Path) -> LocalRepository:
    """A home whose database was written by bentoml 0.13.1: 1.0.0, 2.0.0+b1, and 0.9 deleted."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(OLD_DATABASE, home / "storage.db")
    for version in ("1.0.0", "2.0.0+b1"):
        make_bundle(home / "repository/OldIris" / version, "OldIris", version, library="0.13.1")
    return LocalRepository(home)


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_database_of_013_is_upgraded_in_place(old_home: LocalRepository, tmp_path: Path) -> None:
    assert [record.tag for record in old_home.list()] == ["OldIris:2.0.0+b1", "OldIris:1.0.0"]
    record = old_home.get("OldIris", "1.0.0")
    assert record.labels == {"team": "core", "env1": "prod"}
    assert record.apis[0]["input_type"] == "JsonInput"
    assert record.uri == str(old_home.path / "OldIris/1.0.0")
    assert "labels" in record.to_dict()["bentoServiceMetadata"]
    old_home.add_directory(make_bundle(tmp_path / "new", "OldIris", "0.9"))
    assert old_home.get("OldIris").version == "0.9"
    assert query(old_home.database, "PRAGMA journal_mode") == [("wal",)]


def test_backup_is_the_database_before_the_upgrade(old_home: LocalRepository) -> None:
    old_home.list()
    backup = old_home.home / "storage.db.backup-370a2bf2e594"
    statement = "SELECT id, name, version, uri, bento_service_metadata, created_at, deleted FROM bentos"
    assert query(backup, statement) == query(OLD_DATABASE, statement)
    assert query(backup, "SELECT version_num FROM alembic_version") == [("370a2bf2e594",)]


def is_declared(_object: object, name: str | None, *_: object) -> bool:
    """Indexes with a condition are made by statements."""
    return name not in ("uq_bentos_live_name_version", "ix_bentos_listed", "ix_bentos_search")


def test_upgraded_and_new_databases_have_the_declared_schema(
    old_home: LocalRepository, tmp_path: Path
) -> None:
    old_home.list()
    new = LocalRepository(tmp_path / "new")
    new.list()
    for path in (old_home.database, new.database):
        options = {"include_object": is_declared}
        differences = run(
            open_engine(path),
            lambda connection: compare_metadata(
                MigrationContext.configure(connection, opts=options),  # noqa: B023 - used at once
                metadata,
            ),
        )
        assert differences == []
        made = query(path, "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'")
        assert sorted(" ".join(text.split()) for (text,) in made) == sorted(PARTIAL_INDEXES["sqlite"])
        assert query(path, "SELECT version_num FROM alembic_version") == [(schema.HEAD,)]


def test_known_revisions_are_the_chain_of_the_migrations() -> None:
    script = ScriptDirectory.from_config(migration_config(None))  # type: ignore[arg-type]
    chain = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(chain)) == schema.KNOWN


def test_database_older_than_the_chain_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "storage.db"
    execute(
        path,
        "CREATE TABLE bentos (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, version VARCHAR NOT NULL,"
        " uri VARCHAR NOT NULL, uri_type VARCHAR(18), bento_service_metadata JSON NOT NULL,"
        " created_at DATETIME, upload_status JSON NOT NULL, deleted BOOLEAN)",
        "CREATE TABLE deployments (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, namespace VARCHAR NOT NULL,"
        " spec JSON NOT NULL, state JSON NOT NULL, annotations JSON NOT NULL, labels JSON,"
        " created_at DATETIME)",
        """INSERT INTO bentos VALUES (1, 'A', '1', '/x/A/1', 'LOCAL', '{"apis": [{"name": "predict",
           "handler_type": "JsonHandler", "handler_config": {"a": 1}}]}', NULL,
           '{"status": "DONE"}', NULL)""",
        "INSERT INTO bentos SELECT 2, name, version, '/x/A/1', uri_type, bento_service_metadata, NULL,"
        " upload_status, 0 FROM bentos",
    )
    [record] = LocalRepository(tmp_path).list()
    assert record.apis == (
        {
            "name": "predict",
            "input_type": "JsonHandler",
            "input_config": {"a": 1},
            "output_type": "DefaultOutput",
        },
    )
    assert (tmp_path / "storage.db.backup-unversioned").is_file()


def test_F23_upgrade_that_fails_changes_nothing_and_can_be_repeated(
    old_home: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = query(old_home.database, "SELECT sql FROM sqlite_master ORDER BY name")
    execute(old_home.database, "CREATE INDEX ix_labels_resource ON labels (key)")  # the last step collides
    with pytest.raises(BentoMLException):
        old_home.list()
    execute(old_home.database, "DROP INDEX ix_labels_resource")
    assert query(old_home.database, "SELECT sql FROM sqlite_master ORDER BY name") == tables
    assert query(old_home.database, "SELECT version_num FROM alembic_version") == [("370a2bf2e594",)]
    assert len(old_home.list()) == 2


def test_P19_newer_schema_is_refused_without_a_write(repository: LocalRepository, add: Add) -> None:
    add()
    execute(repository.database, "UPDATE alembic_version SET version_num = 'ffff00000000'")
    before = repository.database.read_bytes()
    fresh = LocalRepository(repository.home)
    with pytest.raises(FailedPrecondition, match="written by a newer one"):
        fresh.list()
    with pytest.raises(FailedPrecondition, match="written by a newer one"):
        fresh.delete("Tiny", "1")
    assert repository.database.read_bytes() == before


def damage_text(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


def damage_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_missing(path: Path) -> None:
    path.unlink()


def damage_other(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE songs (title)")


DAMAGES = [damage_text, damage_half, damage_empty, damage_missing, damage_other]


@pytest.mark.parametrize("damage", DAMAGES)
def test_F26_damaged_index_is_reported_and_repaired(
    repository: LocalRepository, add: Add, damage: Callable[[Path], None]
) -> None:
    add("Iris", "2", created_at="2021-01-02 00:00:00.000000")
    add("Iris", "1", created_at="2021-01-01 00:00:00.000000")
    add("Gone", "1")
    repository.delete("Gone", "1")
    damage(repository.database)
    content = repository.database.read_bytes() if repository.database.exists() else None
    fresh = LocalRepository(repository.home)
    for _ in range(2):
        with pytest.raises(FailedPrecondition, match="bentoml repair"):
            fresh.list()
    if content is not None:
        assert repository.database.read_bytes() == content
    report = repair(fresh)
    assert sorted(report.added) == ["Iris:1", "Iris:2"]
    assert (report.moved_aside is not None) == (damage is not damage_missing)
    assert [record.tag for record in fresh.list()] == ["Iris:2", "Iris:1"]
    if report.moved_aside is not None:
        assert report.moved_aside.read_bytes() == content


def test_F26_repair_keeps_labels_that_can_be_read(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1", {"env": "prod"})
    execute(repository.database, "DROP TABLE alembic_version")
    execute(repository.database, "DROP TABLE deployments")
    repair(repository)
    assert repository.get("Iris", "1").labels == {"env": "prod"}


def test_F26_repair_completes_a_sound_index_in_place(repository: LocalRepository, add: Add) -> None:
    add("Iris", "1", {"env": "prod"})
    make_bundle(repository.path / "Iris/2", "Iris", "2")
    make_bundle(repository.path / "Wrong/2", "Iris", "2")
    damaged = make_bundle(repository.path / "Bad/1", "Bad", "1")
    (damaged / "entry.sh").write_text("#!/bin/evil\n")
    report = repair(repository)
    assert report.added == ["Iris:2"]
    assert report.moved_aside is None
    assert sorted(Path(path).parent.name for path in report.skipped) == ["Bad", "Wrong"]
    assert "entry.sh" in report.skipped[str(damaged)]
    assert repository.get("Iris", "1").labels == {"env": "prod"}
    assert repair(repository).added == []


def test_new_home_needs_no_repair(tmp_path: Path) -> None:
    assert LocalRepository(tmp_path / "a/b/home").list() == []


def test_bundles_that_were_pushed_to_a_013_server_are_listed(old_home: LocalRepository) -> None:
    """Its last step overwrote the status DONE; an upload that was only announced has no metadata."""
    execute(
        old_home.database,
        """UPDATE bentos SET upload_status = '{"percentage": 0}' WHERE version = '1.0.0'""",
        "INSERT INTO bentos (name, version, uri, uri_type, bento_service_metadata, upload_status, deleted) "
        "VALUES ('OldIris', '7', '/nowhere', 'LOCAL', '{}', '{\"status\": \"UNINITIALIZED\"}', 0)",
    )
    assert [record.tag for record in old_home.list()] == ["OldIris:2.0.0+b1", "OldIris:1.0.0"]
