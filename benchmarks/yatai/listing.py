"""Latency of lists while several clients ask without a pause."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from typing import Any

from bentoml.rpc import convert
from bentoml.rpc.channel import RpcClient
from bentoml.settings import load_settings

from .registry import Server

_PROCESSES = 2
_ROWS = 40


def measure_listing(server: Server, clients: int, seconds: float) -> dict[str, Any]:
    """`clients` connections in two processes, each asking again as soon as it was answered."""
    running, each = start_askers(server, clients, seconds)
    times: list[float] = []
    for process in running:
        out, _ = process.communicate()
        times += [float(line) for line in out.split()]
    return {
        "list_clients": each * _PROCESSES,
        "list_calls_per_s": round(len(times) / seconds),
        **quantiles("list", times),
        "server_rss_peak_mib": server.rss_peak_mib(),
    }


def start_askers(server: Server, clients: int, seconds: float) -> tuple[list[subprocess.Popen[bytes]], int]:
    """Processes with clients that ask for lists without a pause, and how many clients each has."""
    each = max(1, clients // _PROCESSES)
    command = [sys.executable, "-m", "benchmarks.yatai.listing", server.address, str(each), str(seconds)]
    return [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(_PROCESSES)], each


def quantiles(name: str, times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {
        f"{name}_p50_ms": round(cuts[49] * 1000, 2),
        f"{name}_p99_ms": round(cuts[98] * 1000, 2),
    }


def _ask(address: str, until: float, times: list[float]) -> None:
    client = RpcClient(address, load_settings().yatai)
    method = convert.method("ListBento")
    call = client._channel.unary_unary(method.path)  # bytes are enough: decoding is the client's own time
    request = convert.write(method.request, {"limit": _ROWS})
    call(request)
    while (begun := time.perf_counter()) < until:
        call(request)
        times.append(time.perf_counter() - begun)


def _main() -> None:
    address, clients, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    until = time.perf_counter() + seconds
    times: list[float] = []
    threads = [threading.Thread(target=_ask, args=(address, until, times)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write("\n".join(f"{one:.6f}" for one in times))


if __name__ == "__main__":
    _main()
