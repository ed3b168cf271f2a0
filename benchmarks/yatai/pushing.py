"""Concurrent pushes and pulls of large bundles, against what the disk and the machine can do."""

from __future__ import annotations

import os
import shutil
import statistics
from pathlib import Path
from typing import Any

from bentoml.bundle.manifest import write_manifest
from bentoml.repository.local import LocalRepository

from .bound import copy_speed, stream_speed
from .clients import Timing, run_commands, run_waiting
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


def measure_transfers(
    server: Server, space: Path, clients: int, size_bytes: int, rounds: int = 3
) -> dict[str, Any]:
    """Rounds of the bounds, pushes, pulls and commands; the disk's speed changes, so medians count."""
    found = [_Round(server, space / f"round-{n}", clients, size_bytes).run() for n in range(rounds)]
    medians = {
        name: round(statistics.median(one[name] for one in found), 2 if "to_copy" in name else None)
        for name in found[0]
        if name != "failed" and not name.endswith("cpu_s")
    }
    return {
        "clients": clients,
        "mib_each": size_bytes >> 20,
        "failed": sum(one["failed"] for one in found),
        **medians,
        "server_rss_peak_mib": server.rss_peak_mib(),
        "rounds": found,
    }


class _Round:
    """One round, in a directory of its own."""

    def __init__(self, server: Server, space: Path, clients: int, size_bytes: int) -> None:
        self._server = server
        self._space = space
        self._size_bytes = size_bytes
        self._names = [f"{space.name}.{number}" for number in range(clients)]
        self._homes = [space / f"home-{number}" for number in range(clients)]
        self._sources = [_make(space / f"source-{name}", name, size_bytes) for name in self._names]
        self._failed = 0

    def run(self) -> dict[str, Any]:
        before = copy_speed(self._space, self._sources)
        bounds = {
            "bound_hashed_once_mib_per_s": round(stream_speed(self._space, self._sources, both_hash=False)),
            "bound_hashed_twice_mib_per_s": round(stream_speed(self._space, self._sources, both_hash=True)),
        }
        address, tags = self._server.address, [f"Large:{name}" for name in self._names]
        pushed = self._timed(
            "push", lambda: run_waiting(address, "push", [*map(str, self._sources)], self._homes)
        )
        pulled = self._timed("pull", lambda: run_waiting(address, "pull", tags, self._homes))
        copy = (before + copy_speed(self._space, self._sources)) / 2
        commands = self._commands(address)
        shutil.rmtree(self._space)
        return {
            "failed": self._failed,
            **pushed,
            **pulled,
            **commands,
            "copy_mib_per_s": round(copy),
            "push_to_copy": round(pushed["push_mib_per_s"] / copy, 2),
            "pull_to_copy": round(pulled["pull_mib_per_s"] / copy, 2),
            **bounds,
        }

    def _commands(self, address: str) -> dict[str, Any]:
        """The same as commands of a shell, with the start of Python in them."""
        names = [f"{name}c" for name in self._names]
        for name, home in zip(names, self._homes, strict=True):
            source = _make(self._space / f"source-{name}", name, self._size_bytes)
            LocalRepository(home).add_directory(source)
            shutil.rmtree(source)
        os.sync()
        arguments = [["push", f"Large:{name}", "--yatai-url", address] for name in names]
        return self._timed("push_command", lambda: run_commands(arguments, self._homes))

    def _timed(self, name: str, run: Any) -> dict[str, Any]:
        os.sync()
        before = self._server.cpu_s()
        timing: Timing = run()
        self._failed += timing.failed
        mib = len(self._names) * (self._size_bytes >> 20)
        return {
            f"{name}_mib_per_s": round(mib / timing.seconds),
            f"{name}_server_cpu_s": round(self._server.cpu_s() - before, 2),
            f"{name}_clients_cpu_s": round(timing.cpu_s, 2),
        }


def _make(path: Path, version: str, size_bytes: int) -> Path:
    (path / "Large" / "artifacts").mkdir(parents=True)
    (path / "bentoml.yml").write_text(_DESCRIPTOR.format(version=version))
    with (path / "Large" / "artifacts" / "model.bin").open("wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(os.urandom(1 << 20))
    write_manifest(path)
    return path
