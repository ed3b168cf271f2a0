"""Concurrent pushes of large bundles, against the speed at which the disk copies the same bytes."""

from __future__ import annotations

import os
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


def measure_pushes(server: Server, space: Path, pushes: int, size_bytes: int) -> dict[str, Any]:
    """All clients are started first and begin together."""
    sources = [_make(space / f"source-{number}", str(number), size_bytes) for number in range(pushes)]
    copy_mib_s = _copy_speed(space, sources)
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", _PUSH, server.address, str(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "BENTOML_HOME": str(space / f"client-{number}")},
        )
        for number, source in enumerate(sources)
    ]
    for client in clients:
        assert client.stdout is not None
        client.stdout.read(1)
    begun = time.perf_counter()
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(b"g")
        client.stdin.close()
    failed = sum(client.wait() != 0 for client in clients)
    seconds = time.perf_counter() - begun
    mib_s = pushes * (size_bytes >> 20) / seconds
    return {
        "pushes": pushes,
        "failed": failed,
        "seconds": round(seconds, 2),
        "push_mib_per_s": round(mib_s),
        "copy_mib_per_s": round(copy_mib_s),
        "push_to_copy": round(mib_s / copy_mib_s, 2),
        "server_rss_peak_mib": server.rss_peak_mib(),
    }


def _make(path: Path, version: str, size_bytes: int) -> Path:
    (path / "Large" / "artifacts").mkdir(parents=True)
    (path / "bentoml.yml").write_text(_DESCRIPTOR.format(version=version))
    with (path / "Large" / "artifacts" / "model.bin").open("wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(os.urandom(1 << 20))
    write_manifest(path)
    return path


def _copy_speed(space: Path, sources: list[Path]) -> float:
    """MiB a second of copying everything once, on disk when it ends."""
    os.sync()
    target = space / "copy"
    target.mkdir()
    begun = time.perf_counter()
    subprocess.run(["cp", "-r", *map(str, sources), str(target)], check=True)
    files = [str(path) for path in target.rglob("*") if path.is_file()]
    subprocess.run(["sync", *files], check=True)
    seconds = time.perf_counter() - begun
    size = sum(os.path.getsize(path) for path in files)
    subprocess.run(["rm", "-rf", str(target)], check=True)
    return size / (1 << 20) / seconds
