"""A bundle of the local index read without opening the repository: the same as it says, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bentoml.repository.local import LocalRepository
from bentoml.repository.peek import peek
from bentoml.tags import Tag

from .bundles import make_bundle

TAG = Tag("Iris", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    repository = LocalRepository(tmp_path / "home")
    source = make_bundle(tmp_path / "source", "Iris", "1")
    repository.add_directory(source, {"env": "prod", "team": "a"}, {"git_commit": "abc"})
    repository.add_directory(make_bundle(tmp_path / "other", "Iris", "2"))
    return tmp_path / "home"


def test_it_says_what_the_repository_says(home: Path) -> None:
    for version in ("1", "2"):
        found, record = peek(home, Tag("Iris", version)), LocalRepository(home).get("Iris", version)
        assert found is not None
        assert (found.tag, found.uri, found.labels, found.lineage) == (
            record.tag,
            record.uri,
            record.labels,
            record.lineage,
        )


def test_it_follows_a_home_that_moved(home: Path) -> None:
    moved = home.rename(home.with_name("moved"))
    found = peek(moved, TAG)
    assert found is not None
    assert Path(found.uri).is_relative_to(moved)


def delete(home: Path) -> None:
    LocalRepository(home).delete("Iris", "1")


def lose_files(home: Path) -> None:
    (home / "repository/Iris/1").rename(home / "elsewhere")


def use_another_schema(home: Path) -> None:
    with sqlite3.connect(home / "storage.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'b2f94d7c1e63'")


def damage(home: Path) -> None:
    (home / "storage.db").write_bytes(b"no database")


def remove_index(home: Path) -> None:
    (home / "storage.db").unlink()


@pytest.mark.parametrize("change", [delete, lose_files, use_another_schema, damage, remove_index])
def test_it_says_nothing_where_more_has_to_be_known(home: Path, change: Callable[[Path], None]) -> None:
    assert peek(home, Tag("Iris", "latest")) is None
    change(home)
    assert peek(home, TAG) is None
