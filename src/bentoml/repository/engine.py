"""Connections to the index database: durable, patient with other writers, and short-lived."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from bentoml.exceptions import BentoMLException, FailedPrecondition, LockUnavailable

logger = logging.getLogger("bentoml.repository")

BUSY_TIMEOUT_S = 8.0
_ATTEMPT_S = 4.0  # SQLite waits this long by itself; some of its "busy" answers come without a wait
REPAIR_HINT = "Restore a copy of it, or rebuild it from the saved bundles with `bentoml repair`."
T = TypeVar("T")


def open_engine(path: Path, *, pooled: bool = False) -> Engine:
    """An engine on a SQLite file.

    Args:
        pooled: connections stay open, for a server. Else each lives for one transaction, so that
            forks are harmless.
    """
    url = URL.create("sqlite", database=str(path))
    if pooled:
        engine = create_engine(
            url, poolclass=QueuePool, pool_size=8, max_overflow=64, creator=lambda: _connect(path)
        )
    else:
        engine = create_engine(url, poolclass=NullPool, creator=lambda: _connect(path))
    event.listen(engine, "begin", _on_begin)
    return engine


def run(engine: Engine, work: Callable[[Connection], T], *, write: bool = False) -> T:
    """Run `work` in one transaction and commit it.

    A writer takes the write lock first, so that it never fails half-way for being second. Waiting
    for other processes ends after `BUSY_TIMEOUT_S`.

    Raises:
        LockUnavailable: another process kept the database locked.
        FailedPrecondition: the database is damaged, read-only or cannot be opened.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            with explain_errors(engine):
                return _transact(engine, work, write)
        except LockUnavailable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


def _transact(engine: Engine, work: Callable[[Connection], T], write: bool) -> T:
    with engine.connect().execution_options(bentoml_write=write) as connection, connection.begin():
        return work(connection)


def _connect(path: Path) -> sqlite3.Connection:
    """A connection whose transactions are begun by `_on_begin`, DDL included."""
    connection = sqlite3.connect(path, timeout=_ATTEMPT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous=FULL").close()
    except sqlite3.OperationalError:
        connection.close()
        if not _is_frozen(path):
            raise
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?immutable=1",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
    return connection


def _is_frozen(path: Path) -> bool:
    """Whether the database lies where nobody writes: SQLite then needs to be told that it may not lock."""
    pending = path.with_name(path.name + "-wal")
    return path.is_file() and not os.access(path.parent, os.W_OK) and not pending.exists()


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("bentoml_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextlib.contextmanager
def explain_errors(engine: Engine) -> Iterator[None]:
    """Turn the database's errors into this library's, with the file and the next step."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as err:
        reason = str(getattr(err, "orig", None) or err)
        raise _operational(shown_address(engine), reason) from err
    except (DatabaseError, sqlite3.DatabaseError) as err:
        reason = str(getattr(err, "orig", None) or err)
        raise FailedPrecondition(
            f"The repository's index '{shown_address(engine)}' is damaged ({reason}). {REPAIR_HINT}"
        ) from err


def shown_address(engine: Engine) -> str:
    """The database as messages name it: a file, or an address without its password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)


def _operational(path: str, reason: str) -> BentoMLException:
    text = reason.lower()
    if "locked" in text or "busy" in text:
        return LockUnavailable(
            f"The repository's index '{path}' is busy: another process has kept it locked for "
            f"more than {BUSY_TIMEOUT_S:g} seconds. Try again, or find and end that process."
        )
    if "readonly" in text or "unable to open" in text:
        return FailedPrecondition(
            f"The repository's index '{path}' cannot be opened or written ({reason}). "
            "Check that it and its directory belong to this user."
        )
    if "full" in text:
        return BentoMLException(
            f"No space left for the repository's index '{path}' ({reason}). Nothing was changed."
        )
    if "malformed" in text or "not a database" in text or "no such" in text:
        return FailedPrecondition(f"The repository's index '{path}' is damaged ({reason}). {REPAIR_HINT}")
    return BentoMLException(f"The repository's index '{path}' failed: {reason}.")
