"""Time to the last byte of every kind of page, for one reader, also while clients ask for lists."""

from __future__ import annotations

import time
import urllib.request
from typing import Any

from .listing import quantiles, start_askers
from .registry import Server

_LAST_OFFSET = 9960
_WARM_UP = 3
PAGES = {
    "home": "/",
    "repository": "/repository",
    "last page": f"/repository?offset={_LAST_OFFSET}",
    "sorted by size": "/repository?order_by=size",
    "sorted by name, deep": "/repository?order_by=name&offset=5000",
    "search, one hit": "/repository?search=20261125000042",
    "search, a name": "/repository?search=service042",
    "search, everything": "/repository?search=service",
    "search, everything, last page": f"/repository?search=service&offset={_LAST_OFFSET}",
    "search, everything, by size": "/repository?search=service&order_by=size&offset=5000",
    "search without a hit": "/repository?search=nothing-is-called-this",
    "label query": "/repository?labels=env%3Dprod",
    "label query, last page": "/repository?labels=env%3Ddev&offset=8960",
    "labels and search": "/repository?labels=env%3Dprod%2Cteam+in+(t1,t2)&search=service04",
    "service": "/repository/Service042",
    "bundle": "/repository/Service042/20261125000042_ABCDEF",
    "compare": "/compare?first=Service042:20261125000042_ABCDEF&second=Service042:20261125000142_ABCDEF",
    "activity": "/activity",
    "deleted": "/trash",
    "deployments": "/deployments",
}


def measure_pages(server: Server, readings: int, clients: int = 0) -> dict[str, Any]:
    """Median and 99th percentile of each page in milliseconds.

    Args:
        clients: connections that ask for lists without a pause meanwhile.
    """
    askers = start_askers(server, clients, 3600.0)[0] if clients else []
    try:
        found: dict[str, Any] = {}
        for name, path in PAGES.items():
            times = [_read(server.url + path) for _ in range(readings + _WARM_UP)][_WARM_UP:]
            found[name] = quantiles("page", times)
    finally:
        for asker in askers:
            asker.kill()
            asker.wait()
    worst = max(found, key=lambda name: found[name]["page_p99_ms"])
    return {
        "readings": readings,
        "list_clients_meanwhile": clients,
        "pages": found,
        "worst_page": worst,
        "worst_p99_ms": found[worst]["page_p99_ms"],
        "server_rss_peak_mib": server.rss_peak_mib(),
    }


def _read(url: str) -> float:
    begun = time.perf_counter()
    with urllib.request.urlopen(url, timeout=120) as answer:
        answer.read()
    return time.perf_counter() - begun
