"""Make the index agree with the bundles on disk: for a lost, damaged or out-of-date database.

A readable index is completed in place. Any other is moved aside, never deleted, and a new one is built
from the bundles beside it; labels, which only the index knows, are taken over as far as readable.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from bentoml.bundle.descriptor import BundleDescriptor, read_descriptor
from bentoml.bundle.manifest import verify_manifest
from bentoml.bundle.metadata import metadata_dict
from bentoml.exceptions import BentoMLException, BundleCorrupted, FailedPrecondition
from bentoml.tags import Tag, validate_labels

from . import durable
from .database import SqliteDatabase
from .index import Addition, Index
from .local import LocalRepository
from .locks import FileLock

logger = logging.getLogger("bentoml.repository")

_COMPANIONS = ("", "-wal", "-shm", "-journal")


@dataclass(slots=True)
class RepairReport:
    """What a repair found and did.

    Attributes:
        added: tags that the index did not know before.
        skipped: directories that are no valid bundle, with the reason.
        moved_aside: where the damaged database is now.
    """

    added: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    moved_aside: Path | None = None


def repair(repository: LocalRepository) -> RepairReport:
    """Complete the index of `repository`, or rebuild it if it cannot be read.

    Raises:
        FailedPrecondition: the index was written by a newer version of bentoml.
    """
    report = RepairReport()
    path = repository.database
    durable.make_directory(path.parent)
    with FileLock(path.with_name(path.name + ".repair.lock"), timeout_s=60.0):
        ready = path.with_name(path.name + ".rebuilt")
        if ready.exists() and not path.exists():
            durable.move(ready, path)  # an earlier repair died on its last step
        if _is_sound(path):
            _complete(path, repository, report, {})
        else:
            partial = path.with_name(path.name + ".partial")
            _remove_database(partial)
            _complete(partial, repository, report, _read_labels(path))
            durable.move(partial, ready)
            report.moved_aside = _move_aside(path)
            durable.move(ready, path)
    return report


def _complete(
    path: Path, repository: LocalRepository, report: RepairReport, labels: dict[str, dict[str, str]]
) -> None:
    """Add a row for every bundle that the index at `path` does not know."""
    index = Index(SqliteDatabase(path))
    for descriptor, directory in _find_bundles(repository, report):
        tag = Tag(descriptor.name, descriptor.version)
        if index.find(tag) is None:
            metadata = metadata_dict(descriptor, camel=False)
            index.add(tag, str(directory), Addition(metadata, labels.get(str(tag), {})))
            report.added.append(str(tag))


def _remove_database(path: Path) -> None:
    for companion in _COMPANIONS:
        Path(f"{path}{companion}").unlink(missing_ok=True)


def _find_bundles(repository: LocalRepository, report: RepairReport) -> list[tuple[BundleDescriptor, Path]]:
    """Valid bundles in the order in which they were made, so that `latest` comes out right."""
    found = []
    for directory in repository.iter_directories():
        try:
            descriptor = read_descriptor(directory)
            if (descriptor.name, descriptor.version) != (directory.parent.name, directory.name):
                raise BundleCorrupted(f"it calls itself {descriptor.tag}")
            verify_manifest(directory)
        except (BentoMLException, OSError) as err:
            report.skipped[str(directory)] = str(err)
        else:
            found.append((descriptor, directory))
    return sorted(found, key=lambda pair: pair[0].created_at)


def _is_sound(path: Path) -> bool:
    """Whether the file is a database that passes SQLite's own check, or does not exist at all."""
    if not path.exists():
        return True
    if path.stat().st_size == 0:
        return False
    with contextlib.closing(sqlite3.connect(path, timeout=10.0)) as connection:
        try:
            rows = connection.execute("PRAGMA integrity_check").fetchall()
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        except sqlite3.OperationalError as err:
            if "malformed" in str(err):
                return False
            raise FailedPrecondition(f"The repository's index '{path}' cannot be read: {err}.") from err
        except sqlite3.DatabaseError:
            return False
    return rows == [("ok",)] and (not tables or {"bentos", "labels", "alembic_version"} <= tables)


def _move_aside(path: Path) -> Path:
    """Rename the database and its companion files; a repeated repair never overwrites an older one."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S") + f"-{time.monotonic_ns() % 1_000_000:06d}"
    target = path.with_name(f"{path.name}.damaged-{stamp}")
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{companion}", f"{target}{companion}")
    durable.sync_directory(path.parent)
    return target


def _read_labels(path: Path) -> dict[str, dict[str, str]]:
    """Labels of live bundles by tag, as many as can still be read."""
    labels: dict[str, dict[str, str]] = {}
    if not path.is_file():
        return labels
    query = (
        "SELECT b.name, b.version, l.key, l.value FROM labels l JOIN bentos b ON b.id = l.resource_id "
        "WHERE l.resource_type = 'bento' AND NOT b.deleted"
    )
    with contextlib.closing(sqlite3.connect(path, timeout=10.0)) as connection:
        try:
            for name, version, key, value in connection.execute(query):
                with contextlib.suppress(BentoMLException):
                    labels.setdefault(f"{name}:{version}", {}).update(validate_labels({key: value}))
        except sqlite3.DatabaseError as err:
            logger.warning("Labels in '%s' cannot all be read: %s", path, err)
    return labels
