"""One pass over all servers is a round; a cell is one server at one number of connections in one round."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .load import Generator
from .machine import steal_ticks
from .registry import Peer
from .server import RunningPeer, running
from .workloads import Workload

CANARY_TOLERANCE = 0.15
STEAL_LIMIT = 0.02
CANARY_CONNECTIONS = 128


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        seconds: of each measured load; `warm_s` of each load before it, whose answers are all read.
        repeats: how often a cell is run again when the machine was disturbed.
    """

    peers: Sequence[tuple[Peer, Path]]
    workloads: Sequence[Workload]
    connections: tuple[int, ...]
    rounds: int
    seconds: int
    warm_s: int
    canary_s: int
    repeats: int
    directory: Path
    seed: int = 0


@dataclass
class Canary:
    """nginx returning a constant, asked before and after each cell: the machine's own speed."""

    server: RunningPeer
    generator: Generator
    seconds: int

    def rate(self) -> float:
        return self.generator.run(CANARY_CONNECTIONS, self.seconds, read_answers=False).rate


def run(plan: Plan, canary: Canary | None) -> Iterator[dict[str, Any]]:
    """Yields one record per cell as soon as it is measured."""
    order = random.Random(plan.seed)
    for number in range(1, plan.rounds + 1):
        for workload in plan.workloads:
            peers = list(plan.peers)
            order.shuffle(peers)
            for peer, python in peers:
                for record in _run_peer(plan, peer, python, workload, canary):
                    yield {"round": number, "workload": workload.name, "peer": peer.name, **record}


def _run_peer(
    plan: Plan, peer: Peer, python: Path, workload: Workload, canary: Canary | None
) -> Iterator[dict[str, Any]]:
    groups = [(c,) for c in plan.connections] if peer.per_connections else [plan.connections]
    for group in groups:
        directory = Path(plan.directory, f"{peer.name}-{workload.name}-{random.randrange(10**9)}")
        with running(peer, workload, python, directory, max(group)) as server:
            answer = server.check_answers()
            body = peer.body(workload.body)
            generator = Generator.prepare(
                directory,
                (server.url, workload.content_type),
                body,
                peer.fragment or answer,
                is_fragment=peer.fragment is not None,
            )
            for connections in group:
                yield {"connections": connections, **_cell(plan, server, generator, connections, canary)}


def _cell(
    plan: Plan, server: RunningPeer, generator: Generator, connections: int, canary: Canary | None
) -> dict[str, Any]:
    warm = generator.run(connections, plan.warm_s, read_answers=True)
    for attempt in range(1, plan.repeats + 2):
        before = canary.rate() if canary else 0.0
        stolen, ticks = steal_ticks()
        cpu = server.tree_cpu_s()
        result = generator.run(connections, plan.seconds, read_answers=False)
        cpu = server.tree_cpu_s() - cpu
        stolen_now, ticks_now = steal_ticks()
        after = canary.rate() if canary else 0.0
        steal = (stolen_now - stolen) / max(1, ticks_now - ticks)
        moved = abs(after - before) / before if before else 0.0
        quiet = moved <= CANARY_TOLERANCE and steal <= STEAL_LIMIT
        if quiet or attempt > plan.repeats:
            break
    return {
        "rate": round(result.rate, 1),
        "p50_us": result.p50_us,
        "p90_us": result.p90_us,
        "p99_us": result.p99_us,
        "max_us": result.max_us,
        "requests": result.requests,
        "bytes": result.bytes,
        "faults": result.faults,
        "faults_while_reading_answers": warm.faults,
        "answers_read": warm.requests,
        "cpu_us_per_request": round(cpu / max(1, result.requests) * 1e6, 1),
        "rss_mib": round(server.tree_rss_mib(), 1),
        "canary_before": round(before),
        "canary_after": round(after),
        "steal": round(steal, 4),
        "quiet": quiet,
        "attempts": attempt,
    }
