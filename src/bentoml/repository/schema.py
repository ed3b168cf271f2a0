"""Which schema a database has, and the way from there to the current one.

An up-to-date database costs one SELECT. Creating and upgrading happen under a lock file, in one
transaction: a crash leaves the old schema or the new one, and the next start continues.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from bentoml.exceptions import FailedPrecondition

from . import durable
from .engine import REPAIR_HINT, explain_errors, run, shown_address
from .locks import FileLock
from .models import metadata
from .revisions import HEAD, KNOWN

UNVERSIONED = "unversioned"  # tables of 0.13 without a revision: older than the chain
EMPTY = "empty"


def ensure_current(engine: Engine, path: Path, may_create: Callable[[], bool]) -> None:
    """Create or upgrade the database if it is not current.

    Args:
        may_create: asked when the file is absent or empty: is this a new repository, or has one
            lost its index?

    Raises:
        FailedPrecondition: a newer schema than this version knows, a damaged file, a lost index.
    """
    if path.is_file() and path.stat().st_size > 0 and run(engine, read_revision) == HEAD:
        return
    durable.make_directory(path.parent)
    with FileLock(path.with_name(path.name + ".lock"), timeout_s=60.0):
        revision = run(engine, read_revision) if path.is_file() else EMPTY
        if revision == EMPTY:
            if not may_create():
                raise FailedPrecondition(
                    f"The repository's index '{path}' is missing or empty, but bundles exist. {REPAIR_HINT}"
                )
            create(engine, path)
        elif revision != HEAD:
            _upgrade(engine, path, revision)


def read_revision(connection: Connection) -> str:
    """The schema's revision, `UNVERSIONED` or `EMPTY`. Raises `FailedPrecondition` if it is unknown."""
    tables = set(inspect(connection).get_table_names())
    found = ""
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
    if found in KNOWN:
        return found
    path = shown_address(connection.engine)
    if found:
        raise FailedPrecondition(
            f"The repository's index '{path}' has schema '{found}', which this version of bentoml does not "
            "know: it was written by a newer one. Upgrade bentoml, or use another BENTOML_HOME. "
            "Nothing was changed."
        )
    if not tables:
        return EMPTY
    if {"bentos", "deployments"} <= tables:
        return UNVERSIONED
    raise FailedPrecondition(
        f"'{path}' is a database of something else, not a repository's index. {REPAIR_HINT}"
    )


def create(engine: Engine, path: Path) -> None:
    """Make the current schema in an empty database."""
    with explain_errors(engine):
        _use_write_ahead_log(path)
    run(engine, create_tables, write=True)
    durable.sync_directory(path.parent)


def create_tables(connection: Connection) -> None:
    """All tables of the current schema, and its revision."""
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _upgrade(engine: Engine, path: Path, revision: str) -> None:
    from .migrate import upgrade  # noqa: PLC0415 - Alembic takes long to import, and is rarely needed

    with explain_errors(engine):
        back_up(path, path.with_name(f"{path.name}.backup-{revision}"))
        _use_write_ahead_log(path)
    run(engine, upgrade, write=True)


def back_up(path: Path, target: Path) -> None:
    """A consistent copy of a database, on disk when this returns."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    source = sqlite3.connect(path)
    copy = sqlite3.connect(partial)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    durable.sync_file(partial)
    os.replace(partial, target)
    durable.sync_directory(target.parent)


def _use_write_ahead_log(path: Path) -> None:
    """Readers and one writer at the same time; the mode is stored in the file."""
    connection = sqlite3.connect(path, timeout=10.0)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
