"""Debian's PostgreSQL in a private directory, on a Unix socket and a free port, as a user without rights."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_USER = "postgres"


@dataclass
class Postgres:
    """A running server; every test gets an empty database of its own."""

    port: int
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_database(self) -> str:
        import psycopg

        name = f"registry_{next(self.numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"


def find_programs() -> Path | None:
    """The directory of PostgreSQL's server programs."""
    for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (path / "initdb").exists() and (path / "postgres").exists():
            return path
    found = shutil.which("initdb")
    real = Path(os.path.realpath(found)).parent if found else None
    return real if real and (real / "postgres").exists() else None


@contextlib.contextmanager
def start_postgres(_factory: object) -> Iterator[Postgres]:
    """Start one, or skip the test with the reason. It does not wait for the disk."""
    import pytest

    pytest.importorskip("psycopg", reason="psycopg is not installed")
    try:
        server = contextlib.ExitStack()
        started = server.enter_context(running_postgres("-c fsync=off"))
    except LookupError as err:
        pytest.skip(str(err))
    with server:
        yield started


@contextlib.contextmanager
def running_postgres(options: str = "") -> Iterator[Postgres]:
    """A server in a temporary directory.

    Raises:
        LookupError: it is not installed, or there is nobody to run it as.
    """
    programs = find_programs()
    if programs is None:
        raise LookupError("PostgreSQL is not installed (scripts/ensure_test_tools.sh installs it on Debian)")
    account = _account()
    directory = Path(tempfile.mkdtemp(prefix="bentoml-postgres-"))
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)
    port = _free_port()
    data = directory / "data"
    _run(account, [programs / "initdb", "-D", data, "-A", "trust", "-U", _USER, "--no-sync", "-E", "UTF8"])
    all_options = (
        f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={directory} "
        f"-c max_connections=300 -c shared_buffers=64MB {options}"
    )
    log = directory / "log"
    _run(account, [programs / "pg_ctl", "-D", data, "-w", "-t", "120", "-l", log, "-o", all_options, "start"])
    try:
        yield Postgres(port)
    finally:
        _run(account, [programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
        shutil.rmtree(directory, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Who runs the server: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in (_USER, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise LookupError("there is no account without rights to run PostgreSQL as")


def _run(account: pwd.struct_passwd | None, command: list[object]) -> None:
    identity = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        timeout=180,
        **identity,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
