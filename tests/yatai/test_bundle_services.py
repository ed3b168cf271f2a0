"""Bundles, labels, notes, aliases, deleting and restoring, on both databases and without a server."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bentoml.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from bentoml.repository.base import BundleRecord
from bentoml.repository.selector import parse_selector
from bentoml.settings import load_settings
from bentoml.tags import Tag
from bentoml.yatai.access import LOCAL, Caller
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.registry import Registry, open_registry
from bentoml.yatai.services.bundles import Bundles
from bentoml.yatai.services.uploads import Progress
from tests.repository.bundles import make_bundle

from .conftest import tar_of

Add = Callable[..., BundleRecord]
READER = Caller("reader", frozenset(["read"]))


def tags(registry: Registry, **query: object) -> list[str]:
    return [record.tag for record in registry.bundles.search(BundleQuery(**query)).records]  # type: ignore[arg-type]


def test_added_bundle_is_found_with_its_details(registry: Registry, add: Add) -> None:
    add("Iris", "1", {"env": "prod"})
    record = registry.bundles.find("Iris", "latest")
    assert (record.tag, record.labels, record.created_by) == ("Iris:1", {"env": "prod"}, "local")
    assert record.size_bytes and len(record.digest) == 64
    assert Path(record.uri).is_dir()
    with pytest.raises(NotFound):
        registry.bundles.find("Iris", "2")
    with pytest.raises(AlreadyExists):
        add("Iris", "1")


def test_search_by_text_labels_and_order_with_the_total(registry: Registry, add: Add) -> None:
    for number in range(5):
        add("Alpha", str(number), {"n": str(number)}, content=b"x" * (10 - number))
    add("Beta", "x1")
    assert tags(registry, text="alp") == [f"Alpha:{n}" for n in (4, 3, 2, 1, 0)]
    assert tags(registry, text="ta:x") == ["Beta:x1"]
    assert tags(registry, text="%") == []
    assert tags(registry, labels=parse_selector("n In (1, 2)"), ascending=True) == ["Alpha:1", "Alpha:2"]
    assert tags(registry, labels=parse_selector("n DoesNotExist")) == ["Beta:x1"]
    assert tags(registry, name="Alpha", order_by="size", limit=1) == ["Alpha:0"]
    page = registry.bundles.search(BundleQuery(name="Alpha", limit=2, offset=2))
    assert ([record.tag for record in page.records], page.total) == (["Alpha:2", "Alpha:1"], 5)
    long_query = parse_selector(", ".join(["n!=9"] * 30))
    assert registry.bundles.search(BundleQuery(labels=long_query, limit=2)).total == 5
    names, total = registry.bundles.names()
    assert ([(one.name, one.versions, one.newest_version) for one in names], total) == (
        [("Beta", 1, "x1"), ("Alpha", 5, "4")],
        2,
    )


def test_total_of_a_search_holds_for_every_page(registry: Registry, add: Add) -> None:
    for number in range(5):
        record = add("Alpha", str(number), {"n": str(number)})
    registry.bundles.set_note(LOCAL, record, "Trained on ÄPFEL and pears")
    add("Beta", "1")
    for wanted in ({"text": "alpha"}, {"labels": parse_selector("n")}):
        pages = [registry.bundles.search(BundleQuery(offset=n, limit=2, **wanted)) for n in (0, 2, 4, 6, 99)]  # type: ignore[arg-type]
        assert [page.total for page in pages] == [5] * 5
        assert [record.version for page in pages for record in page.records] == ["4", "3", "2", "1", "0"]
        assert registry.bundles.search(BundleQuery(limit=0, **wanted)).total == 5  # type: ignore[arg-type]
    assert tags(registry, text="and PEARS") == ["Alpha:4"]
    assert registry.bundles.search(BundleQuery(text="and plums")).total == 0
    registry.bundles.delete(LOCAL, "Alpha", "0")
    assert registry.bundles.search(BundleQuery(text="alpha", limit=1)).total == 4
    assert registry.bundles.search(BundleQuery(text="alpha", only_deleted=True)).total == 1


def test_bundles_arrive_on_the_file_system_where_they_stay(home: Path, tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        settings = load_settings(yatai__repository_directory=f"{directory}/bundles")
        registry = open_registry(settings)
        source = make_bundle(tmp_path / "source", "Iris", "1")
        stored = registry.uploads.receive_whole(LOCAL, Tag("Iris", "1"), [tar_of(source)])
        assert registry.uploads.directory.is_relative_to(directory)
        assert list(registry.uploads.directory.iterdir()) == []
        assert registry.bundles.names()[1] == 1
    assert Path(stored.uri).is_relative_to(directory)
    assert open_registry(load_settings()).uploads.directory == home / "yatai" / "uploads"


def test_counts_and_names_are_read_from_an_index_alone(registry: Registry, add: Add) -> None:
    """At 10,000 bundles every page needs them; SQLite has to take the one index that has them all."""
    from sqlalchemy import Connection, text

    from bentoml.repository.database import SqliteDatabase
    from bentoml.yatai.db.bundles import counting, grouping

    add("Iris", "1")
    if not isinstance(registry.database, SqliteDatabase):
        pytest.skip("another database knows by statistics which index is best")

    def plan(connection: Connection) -> list[str]:
        dialect = connection.dialect
        texts = [str(one.compile(dialect=dialect)) for one in (counting(BundleQuery()), grouping())]
        return [str(connection.execute(text(f"EXPLAIN QUERY PLAN {one}")).all()) for one in texts]

    for steps in registry.database.read(plan):
        assert "INDEX ix_bentos_listed" in steps


def test_labels_and_notes_change_with_the_revision(registry: Registry, add: Add) -> None:
    before = add("Iris", "1", {"env": "dev", "team": "a"})
    after = registry.bundles.update_labels(LOCAL, before, {"env": "prod"}, ["team"])
    assert after.labels == {"env": "prod"}
    assert after.revision > before.revision
    noted = registry.bundles.set_note(LOCAL, after, "trained on Monday")
    assert (noted.note, noted.revision > after.revision) == ("trained on Monday", True)
    with pytest.raises(InvalidArgument):
        registry.bundles.update_labels(LOCAL, before, {"bad key": "x"})
    with pytest.raises(PermissionDenied):
        registry.bundles.set_note(READER, noted, "x")


def test_alias_moves_with_history_and_rolls_back_step_by_step(registry: Registry, add: Add) -> None:
    for version in ("1", "2", "3"):
        add("Iris", version)
    aliases = registry.aliases
    for version in ("1", "2", "latest"):
        aliases.move(LOCAL, "Iris", "prod", version)
    assert registry.bundles.find("Iris", "@prod").version == "3"
    assert registry.bundles.find("Iris", "3").aliases == ("prod",)
    assert aliases.roll_back(LOCAL, "Iris", "prod").version == "2"
    assert aliases.roll_back(LOCAL, "Iris", "prod").version == "1"
    with pytest.raises(FailedPrecondition, match="has not been at another version"):
        aliases.roll_back(LOCAL, "Iris", "prod")
    moves = [(move.from_version, move.to_version) for move in aliases.history("Iris", "prod")]
    assert moves == [("2", "1"), ("3", "2"), ("2", "3"), ("1", "2"), (None, "1")]
    with pytest.raises(FailedPrecondition, match="somebody moved it"):
        aliases.move(LOCAL, "Iris", "prod", "2", expected_version="3")
    with pytest.raises(NotFound):
        aliases.move(LOCAL, "Iris", "prod", "9")
    with pytest.raises(InvalidArgument, match="latest"):
        aliases.move(LOCAL, "Iris", "Latest", "1")
    aliases.remove(LOCAL, "Iris", "prod")
    assert aliases.find_all() == []


def test_deleted_bundle_can_be_restored_until_its_time_is_over(registry: Registry, add: Add) -> None:
    record = add("Iris", "1", {"env": "prod"})
    registry.bundles.delete(LOCAL, "Iris", "1")
    assert tags(registry) == []
    assert not Path(record.uri).exists()
    assert tags(registry, only_deleted=True) == ["Iris:1"]
    restored = registry.bundles.restore(LOCAL, "Iris", "1")
    assert restored.labels == {"env": "prod"}
    assert (Path(restored.uri) / "Iris/artifacts/model.pkl").read_bytes() == b"weights"
    registry.bundles.delete(LOCAL, "Iris", "1")
    add("Iris", "1", content=b"other")
    with pytest.raises(AlreadyExists):
        registry.bundles.restore(LOCAL, "Iris", "1")
    registry.bundles.restore_period = timedelta(seconds=-1)
    assert [str(tag) for tag in registry.bundles.purge()] == ["Iris:1"]
    assert tags(registry, only_deleted=True) == []
    assert tags(registry) == ["Iris:1"]
    registry.bundles.delete(LOCAL, "Iris", "1")
    registry.bundles.purge()
    with pytest.raises(NotFound):
        registry.bundles.restore(LOCAL, "Iris", "1")


def test_bundle_with_an_alias_is_not_deleted(registry: Registry, add: Add) -> None:
    record = add("Iris", "1")
    registry.aliases.move(LOCAL, "Iris", "prod", "1")
    with pytest.raises(InvalidArgument, match="Iris@prod"):
        registry.bundles.delete(LOCAL, "Iris", "1")
    assert tags(registry) == ["Iris:1"]
    assert Path(record.uri).is_dir()


def test_P6_upload_without_an_answer_begins_anew_when_its_bundle_was_deleted(
    registry: Registry, tmp_path: Path
) -> None:
    """The server died after it had added the bundle; somebody deleted that before the client came back."""
    data = tar_of(make_bundle(tmp_path / "made", "Iris", "1"))
    digest = hashlib.sha256(data).hexdigest()

    def begin() -> Progress:
        tag, request = Tag("Iris", "1"), "a-client-that-comes-back"
        return registry.uploads.begin(LOCAL, tag, len(data), digest, {}, {}, request_id=request)

    for _ in range(2):
        begun = begin()
        assert begun.received_bytes == 0
        registry.uploads.receive(LOCAL, begun.upload.id, 0, [data])
        assert registry.uploads.finish(LOCAL, begun.upload.id).tag == "Iris:1"
        again = begin()
        assert again.received_bytes == len(data)
        assert registry.uploads.finish(LOCAL, again.upload.id).tag == "Iris:1"
        registry.bundles.delete(LOCAL, "Iris", "1")


def test_pruning_keeps_the_newest_and_those_with_aliases(registry: Registry, add: Add) -> None:
    for version in ("1", "2", "3", "4"):
        add("Iris", version)
    add("Other", "1")
    registry.aliases.move(LOCAL, "Iris", "prod", "1")
    planned = registry.retention.prune(LOCAL, keep_last=1)
    assert [str(tag) for tag in planned] == ["Iris:3", "Iris:2"]
    assert len(tags(registry)) == 5
    registry.retention.prune(LOCAL, keep_last=1, dry_run=False)
    assert tags(registry) == ["Other:1", "Iris:4", "Iris:1"]
    with pytest.raises(InvalidArgument):
        registry.retention.prune(LOCAL, keep_last=0)


def test_pruning_goes_on_when_a_bundle_gets_an_alias_meanwhile(
    registry: Registry, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1", "2", "3", "4"):
        add("Iris", version)

    def before_the_first(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(Bundles, "delete", delete)
        registry.aliases.move(LOCAL, "Iris", "prod", "3")
        registry.bundles.delete(LOCAL, "Iris", "2")
        delete(*arguments, **options)

    delete = Bundles.delete
    monkeypatch.setattr(Bundles, "delete", before_the_first)
    gone = registry.retention.prune(LOCAL, keep_last=1, dry_run=False)
    assert [str(tag) for tag in gone] == ["Iris:1"]
    assert tags(registry) == ["Iris:4", "Iris:3"]


def test_every_change_is_in_the_audit_log(registry: Registry, add: Add) -> None:
    record = add("Iris", "1")
    registry.bundles.update_labels(Caller("ann", frozenset(["write"])), record, {"env": "prod"})
    registry.aliases.move(LOCAL, "Iris", "prod", "1")
    registry.aliases.remove(LOCAL, "Iris", "prod")
    registry.bundles.delete(LOCAL, "Iris", "1")
    found = registry.events.find(LOCAL, resource="Iris")
    assert [(event.actor, event.action, event.resource) for event in reversed(found)] == [
        ("local", "bundle.add", "Iris:1"),
        ("ann", "labels.update", "Iris:1"),
        ("local", "alias.move", "Iris@prod"),
        ("local", "alias.remove", "Iris@prod"),
        ("local", "bundle.delete", "Iris:1"),
    ]
    assert registry.events.find(LOCAL, before_id=found[-1].id) == []
