"""What one server of the comparison is: what to install, how to start it, how it wants to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PEERS_DIR = Path(__file__).parent / "peers"
IRIS = ("lr", "rf")
TABLES = ("df-json", "df-csv", "df-lr-json", "df-lr-csv")


@dataclass(frozen=True)
class Start:
    """What a peer's command may depend on.

    Attributes:
        python: interpreter of the peer's environment; its console scripts lie beside it.
        directory: an empty directory of this run, for bundles and settings files.
        connections: open connections of the coming load; tuned peers size their batches by it.
    """

    python: Path
    workload: str
    port: int
    directory: Path
    connections: int

    def script(self, name: str) -> str:
        return str(self.python.parent / name)

    def app(self, name: str) -> str:
        return str(PEERS_DIR / name)


Command = Callable[[Start], list[str]]


def _plain(body: bytes) -> bytes:
    return body


@dataclass(frozen=True)
class Peer:
    """One server under one configuration.

    Attributes:
        requirements: empty = the interpreter that runs the benchmark.
        extras: what some workloads need beside them, by workload.
        workloads: those it can do.
        prepare: a command that must succeed once before `command`, with the same `Start`.
        settings: writes files that `command` reads.
        body: turns the workload's body into this server's protocol.
        content_type: of that body, where it is not the workload's.
        value: finds the answer in the parsed JSON, where that is not the workload's own way.
        fragment: what every answer to the load contains, for servers that put an id into each body;
            others must answer with the same bytes every time.
        per_connections: restart it for every number of connections, with `Start.connections` set.
        is_loop: no server but `peers/bare_loop.py`; `processes` copies of it run at the same time.
    """

    name: str
    title: str
    command: Command
    requirements: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    workloads: tuple[str, ...] = IRIS
    old_python: bool = False
    prepare: Command | None = None
    settings: Callable[[Start], None] | None = None
    environment: Callable[[Start], dict[str, str]] = lambda start: {}
    body: Callable[[bytes], bytes] = _plain
    content_type: str | None = None
    value: Callable[[Any], Any] | None = None
    fragment: bytes | None = None
    path: str | None = None
    per_connections: bool = False
    answers: bool = True
    needs: str | None = None
    version_of: str | None = None
    is_loop: bool = False
    processes: int = 1

    def requirements_for(self, workload: str) -> tuple[str, ...]:
        return (*self.requirements, *self.extras.get(workload, ()))


def run_app(files: str | Mapping[str, str], *arguments: str) -> Command:
    """`python FILE WORKLOAD PORT …`; a mapping names the file for each workload."""
    return lambda start: [
        str(start.python),
        start.app(files if isinstance(files, str) else files[start.workload]),
        start.workload,
        str(start.port),
        *arguments,
    ]
