"""Measure the management server: listing among 10,000 bundles, and concurrent pushes of large ones.

    python -m benchmarks.yatai list             # latency of ListBento
    python -m benchmarks.yatai pages            # time of each page, for one reader
    python -m benchmarks.yatai pages --meanwhile 4
    python -m benchmarks.yatai push             # bytes a second of concurrent pushes and pulls, memory
    python -m benchmarks.yatai all --output benchmarks/results/yatai.json    # everything, on both databases

Server and clients are processes of this machine. The database is SQLite in a temporary directory; with
`--database postgresql` a PostgreSQL server that is started for this, with its usual durability; or that of
`--db-url`. Clients that push and pull are up and connected before the clock starts, which ends with the
last one's answer; `push_command` is the same as commands of a shell. The copy speed that they are compared
with is that of as many `cp` at once, each followed by `sync` of what it wrote, of the same bytes on the
same file system, before and after the pushes of a round. The bounds are bare processes that send files over
loopback, hash them (at one end, or at both), write and sync them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from tests.yatai.postgres import running_postgres

from .listing import measure_listing
from .pages import measure_pages
from .pushing import measure_transfers
from .registry import fill, running_server

MEASURES = ("list", "pages", "push")
DATABASES = ("sqlite", "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=[*MEASURES, "all"])
    parser.add_argument("--bundles", type=int, default=10_000)
    parser.add_argument("--names", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--readings", type=int, default=100)
    parser.add_argument("--meanwhile", type=int, default=0, help="clients that ask for lists meanwhile")
    parser.add_argument("--pushes", type=int, default=8)
    parser.add_argument("--mib", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="of pushes")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--db-url", help="a database that is there, instead")
    parser.add_argument("--output", type=Path, help="a file that the results are put into")
    parser.add_argument("--directory", type=Path, help="where the temporary files go")
    options = parser.parse_args()
    whats = MEASURES if options.what == "all" else (options.what,)
    databases = DATABASES if options.what == "all" else (options.database,)
    for database in databases:
        for what in whats:
            result = _measure(what, database, options.db_url, options)
            result["machine"] = f"{os.cpu_count()} CPUs, Python {platform.python_version()}"
            print(json.dumps(result, indent=2), flush=True)
            if options.output is not None:
                _keep(options.output, database, what, result)


def _keep(file: Path, database: str, what: str, result: dict[str, Any]) -> None:
    """Put a result in its place among those of other runs."""
    kept = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if result.get("list_clients_meanwhile"):
        what = f"{what} while {result['list_clients_meanwhile']} clients list"
    kept.setdefault(database, {})[what] = result
    file.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")


def _measure(what: str, database: str, db_url: str | None, options: argparse.Namespace) -> dict[str, Any]:
    """One kind of load on a server of its own."""
    with contextlib.ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="yatai-bench-", dir=options.directory))
        )
        if database == "postgresql" and db_url is None:
            db_url = stack.enter_context(running_postgres()).new_database()
        home = directory / "home"
        os.environ["BENTOML_HOME"] = str(home)
        if what != "push":
            fill(db_url, options.bundles, options.names)
        server = stack.enter_context(running_server(home, db_url))
        if what == "list":
            return measure_listing(server, options.clients, options.seconds)
        if what == "push":
            return measure_transfers(server, directory, options.pushes, options.mib << 20, options.rounds)
        return measure_pages(server, options.readings, options.meanwhile)


if __name__ == "__main__":
    main()
