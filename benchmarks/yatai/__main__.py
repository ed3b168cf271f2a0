"""Measure the management server: listing among 10,000 bundles, and concurrent pushes of large ones.

    python -m benchmarks.yatai list             # latency of ListBento
    python -m benchmarks.yatai pages            # time of each page, for one reader
    python -m benchmarks.yatai pages --meanwhile 4
    python -m benchmarks.yatai push             # bytes a second of concurrent pushes, memory of the server

Server and clients are processes of this machine. The database is SQLite in a temporary directory, or
`--db-url`. The copy speed that pushes are compared with is that of as many `cp` at once, each followed by
`sync` of what it wrote, of the same bytes on the same file system, before and after the pushes of a round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

from .listing import measure_listing
from .pages import measure_pages
from .pushing import measure_transfers
from .registry import fill, running_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["list", "pages", "push"])
    parser.add_argument("--bundles", type=int, default=10_000)
    parser.add_argument("--names", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--readings", type=int, default=100)
    parser.add_argument("--meanwhile", type=int, default=0, help="clients that ask for lists meanwhile")
    parser.add_argument("--pushes", type=int, default=8)
    parser.add_argument("--mib", type=int, default=50)
    parser.add_argument("--db-url", help="instead of SQLite")
    parser.add_argument("--directory", type=Path, help="where the temporary files go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yatai-bench-", dir=options.directory) as directory:
        home = Path(directory) / "home"
        os.environ["BENTOML_HOME"] = str(home)
        if options.what != "push":
            fill(options.db_url, options.bundles, options.names)
        with running_server(home, options.db_url) as server:
            if options.what == "list":
                result = measure_listing(server, options.clients, options.seconds)
            elif options.what == "pages":
                result = measure_pages(server, options.readings, options.meanwhile)
            else:
                result = measure_transfers(server, Path(directory), options.pushes, options.mib << 20)
    result["machine"] = f"{os.cpu_count()} CPUs, Python {platform.python_version()}"
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
