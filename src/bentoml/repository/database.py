"""The database of an index: a SQLite file by default, PostgreSQL by its address.

Both keep one schema, and both serialise writers, so the ids of rows are the order in which they
became visible.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from bentoml.exceptions import (
    BentoMLConfigException,
    BentoMLException,
    FailedPrecondition,
    LockUnavailable,
    MissingDependencyException,
)

from .durable import explained
from .engine import open_engine, run, shown_address
from .revisions import HEAD
from .schema import EMPTY, create_tables, ensure_current, read_revision

T = TypeVar("T")
_LOCK_KEY = 0x62656E746F  # "bento": the advisory lock of writers and of schema changes
_LOCK_TIMEOUT_MS = 15_000


class Database(Protocol):
    """Transactions on an index whose schema is current."""

    @property
    def address(self) -> str:
        """What messages call it; never with a password."""
        ...

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that changes nothing."""
        ...

    def change_mark(self) -> int | None:
        """A number that differs after every change by anybody; None if there is no cheap one."""
        ...

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction; it is on disk when this returns, or did not happen."""
        ...


class SqliteDatabase:
    """A SQLite file, created when it is first used.

    Args:
        path: the file.
        may_create: asked when the file is absent or empty: is this a new repository?
        pooled: keep connections open; for servers.
    """

    def __init__(
        self, path: Path, may_create: Callable[[], bool] = lambda: True, *, pooled: bool = False
    ) -> None:
        self.path = path
        self._may_create = may_create
        self._engine = open_engine(path, pooled=pooled)
        self._is_current = False
        self._observer: sqlite3.Connection | None = None
        self._observing = threading.Lock()

    @property
    def address(self) -> str:
        return str(self.path)

    def change_mark(self) -> int | None:
        self._prepare()
        with self._observing:
            if self._observer is None:
                self._observer = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            try:
                mark: int = self._observer.execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.DatabaseError:
                return None  # whoever reads the tables next says what is wrong
        return mark

    def read(self, work: Callable[[Connection], T]) -> T:
        self._prepare()
        return run(self._engine, work)

    def write(self, work: Callable[[Connection], T]) -> T:
        self._prepare()
        return run(self._engine, work, write=True)

    def _prepare(self) -> None:
        with explained(f"Opening the index '{self.path}'"):
            if not self._is_current or not self.path.exists():
                self._engine.dispose()  # connections of a file that is gone would go on without a trace
                self._observer = None
                ensure_current(self._engine, self.path, self._may_create)
                self._is_current = True


class PostgresDatabase:
    """A database of a PostgreSQL server; it must exist, its tables are made or upgraded here.

    Args:
        url: `postgresql://user:password@host/name`.
    """

    def __init__(self, url: str | URL) -> None:
        self._engine = _postgres_engine(make_url(url))
        # A statement sees what was committed before it, within a transaction too; without one, a read
        # needs one round trip instead of three.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._is_current = False

    @property
    def address(self) -> str:
        return shown_address(self._engine)

    def change_mark(self) -> int | None:
        return None

    def read(self, work: Callable[[Connection], T]) -> T:
        self._prepare()
        with _explained(self._engine):
            try:
                return self._read(work)
            except OperationalError as err:
                if not err.connection_invalidated:
                    raise
                return self._read(work)  # the server was started again since the connection was made

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._reading.connect() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        self._prepare()
        with _explained(self._engine):
            return self._locked(work)

    def _locked(self, work: Callable[[Connection], T]) -> T:
        try:
            connection = self._lock()
        except OperationalError as err:
            if not err.connection_invalidated:
                raise
            connection = self._lock()  # nothing had been done on the connection that was gone
        with connection:  # what is not committed is rolled back
            found = work(connection)
            connection.commit()
        return found

    def _lock(self) -> Connection:
        """A connection in a transaction that holds the lock of writers."""
        connection = self._engine.connect()
        try:
            connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        if not self._is_current:
            with _explained(self._engine):
                self._locked(_make_current)
            self._is_current = True


def open_database(
    url: str | None, default: Path, may_create: Callable[[], bool] = lambda: True, *, pooled: bool = False
) -> Database:
    """The database that a setting names; None means the SQLite file `default`.

    Raises:
        BentoMLConfigException: an address of another kind.
    """
    if url is None:
        return SqliteDatabase(default, may_create, pooled=pooled)
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme == "sqlite":
        return SqliteDatabase(sqlite_path(url), may_create, pooled=pooled)
    if scheme in ("postgresql", "postgres"):
        return PostgresDatabase(url)
    raise BentoMLConfigException(
        f"yatai.database.url starts with '{scheme}'; it must be sqlite:///PATH or "
        "postgresql://USER:PASSWORD@HOST/NAME."
    )


def sqlite_path(url: str) -> Path:
    """The file of `sqlite:///PATH` (a fourth slash makes it absolute)."""
    name = make_url(url).database
    if not name or name == ":memory:":
        raise BentoMLConfigException(f"yatai.database.url is '{url}'; it must name a file: sqlite:///PATH.")
    return Path(name).expanduser()


def _make_current(connection: Connection) -> None:
    revision = read_revision(connection)
    if revision == EMPTY:
        create_tables(connection)
    elif revision != HEAD:
        from .migrate import upgrade  # noqa: PLC0415 - Alembic takes long to import, and is rarely needed

        upgrade(connection)


def _postgres_engine(url: URL) -> Engine:
    if not url.database:
        raise BentoMLConfigException(
            "Database does not exist or Database name is missing in config db.url: "
            f"{url.render_as_string(hide_password=True)}"
        )
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=64,
            connect_args={"application_name": "yatai", "connect_timeout": 10},
        )
    except ModuleNotFoundError as err:
        raise MissingDependencyException(
            f"PostgreSQL needs the package '{err.name}', which is not installed. "
            "Install it with: pip install 'bentoml[postgres]'"
        ) from err
    event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: object, _record: object) -> None:
    connection.execute("SET TIME ZONE 'UTC'")  # type: ignore[attr-defined]
    connection.commit()  # type: ignore[attr-defined]


@contextlib.contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """Errors of the server in this library's words, without a password in them."""
    try:
        yield
    except OperationalError as err:
        raise _operational(shown_address(engine), str(err.orig or err).strip()) from err
    except DBAPIError as err:
        raise BentoMLException(f"The database '{shown_address(engine)}' failed: {err.orig or err}") from err


def _operational(address: str, reason: str) -> BentoMLException:
    if "lock timeout" in reason:
        return LockUnavailable(
            f"The database '{address}' is busy: other writers kept it locked for more than "
            f"{_LOCK_TIMEOUT_MS // 1000} seconds. Try again."
        )
    if "does not exist" in reason:
        return FailedPrecondition(
            "Database does not exist or Database name is missing in config db.url: "
            f"{address} ({reason.splitlines()[0]}). Create it with: createdb NAME"
        )
    return FailedPrecondition(f"The database '{address}' cannot be used: {reason.splitlines()[0]}")
