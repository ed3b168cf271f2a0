"""Saved bundles: find, change, delete, restore."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from bentoml.exceptions import InvalidArgument, NotFound
from bentoml.repository.base import BundleRecord
from bentoml.repository.database import Database
from bentoml.repository.models import utc_now
from bentoml.tags import LATEST, Tag, validate_label_key, validate_labels, validate_service_name
from bentoml.yatai.access import WRITE, Caller
from bentoml.yatai.blobs.base import BundleStore
from bentoml.yatai.db import aliases as alias_db
from bentoml.yatai.db import bundles as bundle_db
from bentoml.yatai.db import events
from bentoml.yatai.db.bundles import BundleQuery, NameSummary

from .aliases import validate_alias

MAX_NOTE_CHARS = 20_000
MAX_LABELS = 100
BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and how long the whole list is."""

    records: list[BundleRecord]
    total: int


class Bundles:
    """Use cases about bundles.

    Args:
        restore_period: how long a deleted bundle can be restored.
    """

    def __init__(self, database: Database, store: BundleStore, restore_period: timedelta) -> None:
        self._database = database
        self.store = store
        self.restore_period = restore_period

    def find(self, name: str, version: str) -> BundleRecord:
        """One bundle by version, `latest` or `@alias`. Raises `NotFound`, `InvalidArgument`."""
        record = self.find_or_none(name, version)
        if record is None:
            raise NotFound(f"BentoService `{name}:{version}` is not found")
        return record

    def find_or_none(self, name: str, version: str) -> BundleRecord | None:
        """As `find`, but None if there is no such bundle."""
        validate_service_name(name)
        if version.startswith("@"):
            alias = validate_alias(version[1:])
            found = self._database.read(lambda connection: alias_db.find(connection, name, alias))
            if found is None:
                return None
            version = found.version
        tag = Tag(name, LATEST if version.lower() == LATEST else version)
        wanted = None if tag.is_latest else tag.version
        record = self._database.read(lambda connection: bundle_db.find(connection, name, wanted))
        return None if record is None else self.store.locate(record)

    def search(self, query: BundleQuery) -> Page:
        """Bundles on a page, and how many match in all."""

        def work(connection: Connection) -> Page:
            ids, total = bundle_db.page(connection, query)
            return Page(bundle_db.by_ids(connection, ids), total)

        page = self._database.read(work)
        return Page([self.store.locate(record) for record in page.records], page.total)

    def keys(self, query: BundleQuery) -> list[tuple[int, int]]:
        """Row id and revision of the bundles on a page: enough to know what changed since."""
        return self._database.read(lambda connection: bundle_db.keys(connection, query))

    def count(self, query: BundleQuery) -> int:
        """How many bundles match, on all pages."""
        return self._database.read(lambda connection: bundle_db.count(connection, query))

    def by_ids(self, ids: Sequence[int]) -> list[BundleRecord]:
        """Records by row id, in that order."""
        found = self._database.read(lambda connection: bundle_db.by_ids(connection, ids))
        return [self.store.locate(record) for record in found]

    def version_before(self, record: BundleRecord) -> str | None:
        """The newest version of the same name that is older than this one."""
        return self._database.read(
            lambda connection: bundle_db.version_before(connection, record.name, record.row_id)
        )

    def names(self, text: str = "", offset: int = 0, limit: int = 40) -> tuple[list[NameSummary], int]:
        """Names with their newest version, and how many names there are."""
        return self._database.read(lambda connection: bundle_db.names(connection, text, offset, limit))

    def count_names(self) -> int:
        """How many names have a bundle."""
        return self._database.read(bundle_db.count_names)

    def directory(self, record: BundleRecord) -> AbstractContextManager[Path]:
        """The files of a bundle, as long as the context lasts."""
        return self.store.directory(record)

    def update_labels(
        self, caller: Caller, record: BundleRecord, changed: Mapping[str, str], removed: Sequence[str] = ()
    ) -> BundleRecord:
        """Set some labels and remove others. Raises `InvalidArgument`."""
        caller.require(WRITE)
        new, gone = validate_labels(changed), {validate_label_key(key) for key in removed}
        if len((record.labels.keys() | new.keys()) - gone) > MAX_LABELS:
            raise InvalidArgument(f"A bundle has at most {MAX_LABELS} labels.")

        def work(connection: Connection) -> None:
            bundle_db.update_labels(connection, record.row_id, new, gone - new.keys())
            details = {"set": new, "removed": sorted(gone)}
            events.record(connection, caller, "labels.update", BUNDLE, record.tag, details)

        self._database.write(work)
        return self._again(record)

    def set_note(self, caller: Caller, record: BundleRecord, note: str) -> BundleRecord:
        """Replace the note (Markdown) about a bundle."""
        caller.require(WRITE)
        if len(note) > MAX_NOTE_CHARS:
            raise InvalidArgument(
                f"The note has {len(note)} characters; at most {MAX_NOTE_CHARS} are allowed."
            )

        def work(connection: Connection) -> None:
            bundle_db.set_note(connection, record.row_id, note)
            events.record(connection, caller, "note.update", BUNDLE, record.tag)

        self._database.write(work)
        return self._again(record)

    def delete(
        self, caller: Caller, name: str, version: str, also: Callable[[Connection], None] | None = None
    ) -> None:
        """Delete one bundle; it can be restored for a while.

        Args:
            also: runs in the same transaction; what it raises leaves the bundle there.

        Raises:
            NotFound: there is none.
            InvalidArgument: the version is `latest`, or an alias points to the bundle.
        """
        caller.require(WRITE)
        tag = Tag(name, version)
        if tag.is_latest:
            raise InvalidArgument(f"Cannot delete '{tag}': name the version, it may change meanwhile.")

        def deleting(connection: Connection) -> None:
            _require_no_alias(connection, tag)
            if also is not None:
                also(connection)
            events.record(connection, caller, "bundle.delete", BUNDLE, str(tag))

        self.store.set_aside(tag, deleting)

    def restore(self, caller: Caller, name: str, version: str) -> BundleRecord:
        """Bring back a deleted bundle. Raises `NotFound`, `AlreadyExists`."""
        caller.require(WRITE)
        tag = Tag(name, version)
        self.store.restore(tag, events.recording(caller, "bundle.restore", BUNDLE, str(tag)))
        return self.find(name, version)

    def purge(self) -> list[Tag]:
        """Remove for good what was deleted longer ago than the period for restoring."""
        return self.store.purge(utc_now() - self.restore_period)

    def _again(self, record: BundleRecord) -> BundleRecord:
        found = self.by_ids([record.row_id])
        if not found:
            raise NotFound(f"BentoService {record.tag} has been deleted meanwhile")
        return found[0]


def _require_no_alias(connection: Connection, tag: Tag) -> None:
    pointing = alias_db.to_version(connection, tag.name, tag.version)
    if pointing:
        raise InvalidArgument(
            f"{tag} is not deleted, because the alias '{tag.name}@{pointing[0]}' points to it. "
            "Move or remove the alias first."
        )
