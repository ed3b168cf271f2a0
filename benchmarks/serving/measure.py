"""One pass over all servers is a round; a cell is one server at one number of connections in one round."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from . import open_loop
from .load import Generator, LoadResult
from .loops import run_loop
from .machine import steal_ticks
from .peer import Peer
from .server import RunningPeer, running
from .wire import Target
from .workloads import Workload

CANARY_TOLERANCE = 0.15
STEAL_LIMIT = 0.02
CANARY_CONNECTIONS = 128


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        peers: by workload name, each with the interpreter of its environment.
        connections: None takes each workload's own.
        seconds: of each measured load; `warm_s` of each load before it, whose answers are all read.
        repeats: how often a cell is run again when the machine was disturbed.
        threads: of the numeric libraries in every peer, 0 leaves it to them.
        open_loads: shares of the closed loop's rate at which the open loop is run after it, in the
            first `open_rounds` rounds.
    """

    workloads: Sequence[Workload]
    peers: Mapping[str, Sequence[tuple[Peer, Path]]]
    connections: tuple[int, ...] | None
    rounds: int
    seconds: int
    warm_s: int
    repeats: int
    directory: Path
    seed: int = 0
    threads: int = 1
    open_loads: tuple[float, ...] = ()
    open_seconds: float = 5.0
    open_rounds: int = 1 << 30

    def connections_of(self, workload: Workload) -> tuple[int, ...]:
        return self.connections or workload.connections

    def seconds_of(self, workload: Workload) -> int:
        return max(self.seconds, workload.least_seconds)


@dataclass
class Canary:
    """nginx returning a constant, asked before and after each cell: the machine's own speed."""

    server: RunningPeer
    generator: Generator
    seconds: int

    def rate(self) -> float:
        return self.generator.run(CANARY_CONNECTIONS, self.seconds, read_answers=False).rate


@dataclass
class Quiet:
    """What the machine did during a load."""

    before: float = 0.0
    after: float = 0.0
    steal: float = 0.0

    @property
    def is_quiet(self) -> bool:
        moved = abs(self.after - self.before) / self.before if self.before else 0.0
        return moved <= CANARY_TOLERANCE and self.steal <= STEAL_LIMIT


def run(plan: Plan, canary: Canary | None, failures: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields one record per cell as soon as it is measured.

    Args:
        failures: is added what ended a server's turn; the others are measured all the same.
    """
    order = random.Random(plan.seed)
    for number in range(1, plan.rounds + 1):
        for workload in plan.workloads:
            peers = list(plan.peers[workload.name])
            order.shuffle(peers)
            for peer, python in peers:
                where = {"round": number, "workload": workload.name, "peer": peer.name}
                try:
                    for record in _run_peer(plan, peer, python, workload, canary, number):
                        yield {**where, **record}
                except (SystemExit, OSError, HTTPException) as err:
                    failures.append({**where, "why": str(err)})


def _run_peer(
    plan: Plan, peer: Peer, python: Path, workload: Workload, canary: Canary | None, number: int
) -> Iterator[dict[str, Any]]:
    directory = Path(plan.directory, f"{peer.name}-{workload.name}-{random.randrange(10**9)}")
    counts = plan.connections_of(workload)
    if peer.is_loop:
        for clients in counts:
            seconds = plan.seconds_of(workload)
            cell = run_loop(
                peer,
                workload,
                python,
                directory,
                clients=clients,
                seconds=seconds,
                warm_s=plan.warm_s,
                threads=plan.threads,
            )
            yield {"connections": clients, **cell}
        return
    for group in [(c,) for c in counts] if peer.per_connections else [counts]:
        with running(peer, workload, python, directory, max(group), plan.threads) as server:
            yield from _cells(plan, server, directory, group, canary, number)


def _cells(
    plan: Plan,
    server: RunningPeer,
    directory: Path,
    counts: Sequence[int],
    canary: Canary | None,
    number: int,
) -> Iterator[dict[str, Any]]:
    peer = server.peer
    own_answer = server.check_answers()
    answer = peer.fragment or own_answer
    body = peer.body(server.workload.body)
    is_fragment = peer.fragment is not None
    url = (server.url, server.content_type)
    generator = Generator.prepare(directory, url, body, answer, is_fragment=is_fragment)
    target = Target(
        "127.0.0.1", server.port, server.path, server.content_type, body, answer, is_fragment=is_fragment
    )
    for connections in counts:
        cell = _cell(plan, server, generator, connections, canary)
        cell["open_loop"] = [
            {"load": load, **asdict(open_loop.run(target, max(1.0, load * cell["rate"]), seconds, arrivals))}
            for seconds in [max(plan.open_seconds, server.workload.least_seconds)]
            for load in (plan.open_loads if number <= plan.open_rounds else ())
            for arrivals in (open_loop.POISSON, open_loop.CONSTANT)
        ]
        yield {"connections": connections, **cell}


def _cell(
    plan: Plan, server: RunningPeer, generator: Generator, connections: int, canary: Canary | None
) -> dict[str, Any]:
    warm = generator.run(connections, plan.warm_s, read_answers=True)
    seconds = plan.seconds_of(server.workload)
    for attempt in range(1, plan.repeats + 2):
        quiet = Quiet(before=canary.rate() if canary else 0.0)
        stolen, ticks = steal_ticks()
        cpu = server.tree_cpu_s()
        result = generator.run(connections, seconds, read_answers=False)
        cpu = server.tree_cpu_s() - cpu
        stolen_now, ticks_now = steal_ticks()
        quiet.steal = (stolen_now - stolen) / max(1, ticks_now - ticks)
        quiet.after = canary.rate() if canary else 0.0
        if quiet.is_quiet or attempt > plan.repeats:
            break
    return {
        **_numbers(result),
        "faults_while_reading_answers": warm.faults,
        "answers_read": warm.requests,
        "cpu_us_per_request": round(cpu / max(1, result.requests) * 1e6, 1),
        "rss_mib": round(server.tree_rss_mib(), 1),
        "canary_before": round(quiet.before),
        "canary_after": round(quiet.after),
        "steal": round(quiet.steal, 4),
        "quiet": quiet.is_quiet,
        "attempts": attempt,
    }


def _numbers(result: LoadResult) -> dict[str, Any]:
    return {
        "rate": round(result.rate, 1),
        "p50_us": result.p50_us,
        "p90_us": result.p90_us,
        "p99_us": result.p99_us,
        "max_us": result.max_us,
        "requests": result.requests,
        "bytes": result.bytes,
        "faults": result.faults,
    }
