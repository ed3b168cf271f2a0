"""Concurrent pushes of large bundles, against the speed at which the disk copies the same bytes."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bentoml.bundle.manifest import write_manifest

from .registry import Server

_DESCRIPTOR = """\
version: 0.14.0
kind: BentoService
metadata:
  created_at: 2026-11-25 10:00:00
  service_name: Large
  service_version: '{version}'
  module_name: large
  module_file: large.py
env: {{python_version: 3.11.7, docker_base_image: python}}
apis: []
artifacts: []
"""
_PUSH = (
    "import sys; from pathlib import Path; from bentoml.yatai.client import get_yatai_client; "
    "client = get_yatai_client(sys.argv[1]).repository; client.record; sys.stdout.write('r'); "
    "sys.stdout.flush(); sys.stdin.read(1); client.upload_from_dir(Path(sys.argv[2]))"
)


def measure_pushes(
    server: Server, space: Path, pushes: int, size_bytes: int, rounds: int = 3
) -> dict[str, Any]:
    """Rounds of a copy, a push of the same amount, and another copy; the disk's speed changes meanwhile."""
    found = [_round(server, space / f"round-{number}", pushes, size_bytes) for number in range(rounds)]
    speeds = [one["push_mib_per_s"] for one in found]
    copies = [one["copy_mib_per_s"] for one in found]
    return {
        "pushes": pushes,
        "mib_each": size_bytes >> 20,
        "failed": sum(one["failed"] for one in found),
        "rounds": found,
        "push_mib_per_s": round(statistics.median(speeds)),
        "copy_mib_per_s": round(statistics.median(copies)),
        "push_to_copy": round(statistics.median(one["push_to_copy"] for one in found), 2),
        "server_rss_peak_mib": server.rss_peak_mib(),
    }


def _round(server: Server, space: Path, pushes: int, size_bytes: int) -> dict[str, Any]:
    sources = [_make(space / f"source-{n}", f"{space.name}.{n}", size_bytes) for n in range(pushes)]
    before = _copy_speed(space, sources)
    os.sync()
    clients = [_start_client(server, source, space / f"client-{n}") for n, source in enumerate(sources)]
    for client in clients:
        assert client.stdout is not None
        client.stdout.read(1)
    server_cpu, client_cpu = server.cpu_s(), resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(b"g")
        client.stdin.close()
    failed = sum(client.wait() != 0 for client in clients)
    seconds = time.perf_counter() - begun
    server_cpu, ended = server.cpu_s() - server_cpu, resource.getrusage(resource.RUSAGE_CHILDREN)
    copy_mib_s = (before + _copy_speed(space, sources)) / 2
    mib_s = pushes * (size_bytes >> 20) / seconds
    shutil.rmtree(space)
    return {
        "failed": failed,
        "seconds": round(seconds, 2),
        "push_mib_per_s": round(mib_s),
        "copy_mib_per_s": round(copy_mib_s),
        "push_to_copy": round(mib_s / copy_mib_s, 2),
        "server_cpu_s": round(server_cpu, 2),
        # the start of the clients included, which is before the clock starts
        "clients_cpu_s": round(
            ended.ru_utime + ended.ru_stime - client_cpu.ru_utime - client_cpu.ru_stime, 2
        ),
    }


def _start_client(server: Server, source: Path, home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _PUSH, server.address, str(source)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "BENTOML_HOME": str(home)},
    )


def _make(path: Path, version: str, size_bytes: int) -> Path:
    (path / "Large" / "artifacts").mkdir(parents=True)
    (path / "bentoml.yml").write_text(_DESCRIPTOR.format(version=version))
    with (path / "Large" / "artifacts" / "model.bin").open("wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(os.urandom(1 << 20))
    write_manifest(path)
    return path


def _copy_speed(space: Path, sources: list[Path]) -> float:
    """MiB a second of as many `cp` at once, each followed by `sync` of what it wrote: all of it on disk."""
    os.sync()
    target = space / "copy"
    target.mkdir()
    copy = 'cp -r "$1" "$2" && find "$2" -type f -exec sync {} +'
    begun = time.perf_counter()
    running = [
        subprocess.Popen(["sh", "-c", copy, "sh", str(source), str(target / source.name)])
        for source in sources
    ]
    assert all(process.wait() == 0 for process in running)
    seconds = time.perf_counter() - begun
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    shutil.rmtree(target)
    return size / (1 << 20) / seconds
