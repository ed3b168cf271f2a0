"""What one request, one idle connection and one more worker cost: `python -m benchmarks.serving.footprint`.

    CPU         of the front and of the worker per request, kernel included, from /proc/PID/stat around a load
    model       the same batches in a plain loop of one process: what the worker spends beyond them is ours
    connection  resident memory of the front per idle keep-alive connection, beside a bare uvicorn
    workers     proportional memory (PSS) of N workers of one large model, beside that of one

Linux only. Prints a line a figure and writes them as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from . import environments, machine
from .load import Generator
from .peer import PEERS_DIR, Peer
from .registry import PEERS
from .server import RunningPeer, base_environment, running
from .workloads import workload

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
KINDS = ("numpy", "neighbours", "forest", "torch", "safetensors")
PARTS = ("requests", "connections", "workers")


def cpu_s(pid: int) -> float:
    """User and system time of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_mib(pid: int) -> float:
    """Resident memory with each shared page divided by the number of its users."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def rss_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / MIB)


def worker_pids(front: int) -> list[int]:
    return [child.pid for child in psutil.Process(front).children()]


@contextmanager
def ours(name: str, directory: Path, connections: int = 1) -> Iterator[RunningPeer]:
    with running(PEERS["ours"], workload(name), Path(sys.executable), directory, connections) as server:
        yield server


def request_costs(directory: Path, connections: int, seconds: int) -> dict[str, Any]:
    """CPU per request of LR at a number of connections, in microseconds."""
    with ours("lr", directory, connections) as server:
        front = server.process.pid
        [worker] = worker_pids(front)
        answer = server.ask(server.workload.body)
        target = (server.url, server.content_type)
        generator = Generator.prepare(directory, target, server.workload.body, answer)
        generator.run(connections, 2, read_answers=True)
        before = (cpu_s(front), cpu_s(worker), *batches(server.port))
        result = generator.run(connections, seconds, read_answers=False)
        after = (cpu_s(front), cpu_s(worker), *batches(server.port))
    front_s, worker_s, count, items = (b - a for a, b in zip(before, after, strict=True))
    batch = max(1, round(items / count))
    model_us = model_cost_us(directory, batch)
    return {
        "connections": connections,
        "rate": round(result.rate),
        "batch": batch,
        "front_us": round(front_s / result.requests * 1e6, 1),
        "worker_us": round(worker_s / result.requests * 1e6, 1),
        "model_us": round(model_us, 1),
        "worker_beyond_model_us": round(worker_s / result.requests * 1e6 - model_us, 1),
    }


def batches(port: int) -> tuple[float, float]:
    """How many batches were run so far, and how many requests were in them, as /metrics says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        text = response.read().decode()
    found = re.findall(r"^\w*batch_size_(count|sum)\{[^}]*\} (\S+)$", text, re.MULTILINE)
    totals = {"count": 0.0, "sum": 0.0}
    for kind, value in found:
        totals[kind] += float(value)
    return totals["count"], totals["sum"]


MODEL_LOOP = """
import sys, time
from models import train
model, rows = train("lr"), [[5.1, 3.5, 1.4, 0.2]] * int(sys.argv[1])
for _ in range(200):
    model.predict(rows)
started, count = time.process_time(), 0
while time.process_time() < started + 2:
    model.predict(rows)
    count += 1
print((time.process_time() - started) / count / len(rows) * 1e6)
"""


def model_cost_us(directory: Path, batch: int) -> float:
    """CPU per row of the model on a batch, in a process that does nothing else."""
    command = [sys.executable, "-c", MODEL_LOOP, str(batch)]
    run = subprocess.run(command, env=base_environment(1), stdout=subprocess.PIPE, text=True, check=True)
    return float(run.stdout)


async def _hold(port: int, request: bytes, count: int, measure: Any) -> Any:
    """Open `count` connections, have each answered once, and call `measure` while they are idle."""
    writers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert found, head
        await reader.readexactly(int(found[1]))
        writers.append(writer)
    await asyncio.sleep(1)
    value = measure()
    for writer in writers:
        writer.close()
    return value


def connection_cost_kib(server: RunningPeer, count: int) -> float:
    body = server.peer.body(server.workload.body)[:1000]
    request = (
        f"POST {server.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {server.content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    pid = server.process.pid
    asyncio.run(_hold(server.port, request, 200, lambda: None))  # what the first ones cost is no rule
    before = rss_mib(pid)
    after = asyncio.run(_hold(server.port, request, count, lambda: rss_mib(pid)))
    return float((after - before) * 1024 / count)


def connection_costs(directory: Path, cache: Path, count: int) -> dict[str, Any]:
    uvicorn: Peer = PEERS["uvicorn"]
    python = environments.ensure(uvicorn, "bin", cache, None)
    with ours("lr", directory / "ours") as server:
        before_load = rss_mib(server.process.pid)
        mine = connection_cost_kib(server, count)
    with running(uvicorn, workload("bin"), python, directory / "uvicorn", 1) as server:
        theirs = connection_cost_kib(server, count)
    return {
        "front_rss_before_load_mib": round(before_load, 1),
        "connections": count,
        "front_kib_per_connection": round(mine, 1),
        "uvicorn_kib_per_connection": round(theirs, 1),
    }


def worker_memory(kind: str, directory: Path, mib: int, counts: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """PSS of all workers of a model of `mib`, for each number of workers; then the same with `--preload`.

    Both are beside one worker that loaded the model itself.
    """
    bundle = directory / "bundle"
    bundle.mkdir(parents=True)
    make = [sys.executable, str(PEERS_DIR / "large_model.py"), kind, str(mib), str(bundle)]
    subprocess.run(make, env=base_environment(1), check=True, stdout=subprocess.DEVNULL)
    one = 0.0
    for options in ((), ("--preload",)):
        totals = {
            count: _all_workers_mib(bundle, directory, (*options, "-w", str(count))) for count in counts
        }
        one = one or totals[min(counts)]
        yield {
            "model": " ".join([kind, *options]),
            "model_mib": mib,
            "pss_mib": {str(n): round(value) for n, value in totals.items()},
            "beside_one": {str(n): round(value / one, 2) for n, value in totals.items()},
        }


def _all_workers_mib(bundle: Path, directory: Path, options: tuple[str, ...]) -> float:
    """PSS of every process of a server but its front, after all workers were busy."""
    peer = Peer(
        name="ours",
        title="",
        command=lambda s: [
            *PEERS["ours"].command(s)[:4],
            str(bundle),
            *PEERS["ours"].command(s)[5:],
            *options,
        ],
        workloads=("lr",),
    )
    folder = directory / "-".join(options)
    with running(peer, workload("lr"), Path(sys.executable), folder, 1) as server:
        wait_for_workers(server.port, int(options[-1]))
        bodies = [server.workload.body] * 20 * int(options[-1])
        with ThreadPoolExecutor(4 * int(options[-1])) as pool:  # one at a time keeps one worker busy only
            list(pool.map(server.ask, bodies))
        processes = psutil.Process(server.process.pid).children(recursive=True)
        return sum(pss_mib(process.pid) for process in processes)


def wait_for_workers(port: int, count: int) -> None:
    """The first worker answers while the others still load."""
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/debug/batching") as page:
            workers = json.load(page)["workers"]
        if sum(worker["state"] == "ready" for worker in workers) == count:
            return
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.footprint", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=5000, help="idle connections (default: %(default)s)")
    parser.add_argument("--model-mib", type=int, default=500)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--cache", type=Path, default=Path(__file__).parents[2] / ".cache" / "bench")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/footprint.json"))
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    record: dict[str, Any] = {"machine": machine.describe()}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        record["requests"] = []
        for connections in (128, 512) if "requests" in options.parts else ():
            runs = [
                request_costs(directory / f"cpu-{connections}-{i}", connections, options.seconds)
                for i in range(options.rounds)
            ]
            figures = {key: median(run[key] for run in runs) for key in runs[0]}
            record["requests"].append(figures)
            print(figures, flush=True)
        if "connections" in options.parts:
            record["connections"] = connection_costs(directory, options.cache, options.idle)
            print(record["connections"], flush=True)
        record["workers"] = []
        for kind in KINDS if "workers" in options.parts else ():
            for figures in worker_memory(kind, directory / kind, options.model_mib, (1, 2, 4)):
                record["workers"].append(figures)
                print(figures, flush=True)
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
