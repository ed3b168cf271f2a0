"""`python -m benchmarks.serving`: start each server, check it, load it, compare."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from . import environments, machine, measure, report
from .load import INSTALL_HINT, Generator, require_wrk
from .peer import Peer
from .registry import PEERS, peers_for
from .results import write_record, write_tables
from .server import running
from .workloads import DEFAULT, NAMES, Workload, workload

ROOT = Path(__file__).resolve().parents[2]


def _names(table: Collection[str]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in table:
                raise argparse.ArgumentTypeError(f"'{name}' is none of: {', '.join(table)}")
        return names

    return parse


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    add = parser.add_argument
    add(
        "--peers",
        type=_names(PEERS),
        help=f"comma-separated, default: those that a workload is judged by; of: {', '.join(PEERS)}",
    )
    add(
        "--workloads",
        type=_names(NAMES),
        default=list(DEFAULT),
        help=f"comma-separated (default: {','.join(DEFAULT)}), of: {', '.join(NAMES)}",
    )
    add("--connections", help="open connections, comma-separated; default: the workload's own")
    add(
        "--rounds", type=int, default=3, help="passes over all servers in random order (default: %(default)s)"
    )
    add("--seconds", type=int, default=5, help="length of a measured load (default: %(default)s)")
    add(
        "--warm",
        type=int,
        default=2,
        help="seconds of load before it, every answer read (default: %(default)s)",
    )
    add("--canary", type=int, default=1, help="seconds of nginx before and after a cell, 0 = none")
    add(
        "--repeats",
        type=int,
        default=2,
        help="how often a disturbed cell is run again (default: %(default)s)",
    )
    add(
        "--threads", type=int, default=1, help="of numeric libraries in every peer, 0 = the peer's own choice"
    )
    add(
        "--open-loads",
        default="0.5",
        help="shares of a peer's own closed-loop rate to send in an open loop, comma-separated; 0 = none",
    )
    add("--open-seconds", type=float, default=5.0, help="length of an open-loop run (default: %(default)s)")
    add("--open-rounds", type=int, default=1 << 30, help="run it in the first rounds only; default: in all")
    add("--gpt-layers", type=int, help="fewer than 12 to try the workload gpt out")
    add("--seed", type=int, default=0, help="of the order of the servers")
    add("--python38", help="a Python 3.8 for bentoml-0.13; default: looked for")
    add("--cache", type=Path, default=ROOT / ".cache" / "bench", help="where environments are kept")
    add("--output", type=Path, help="JSON file; its .svg and .md neighbours are written too")
    return parser.parse_args(argv)


@contextlib.contextmanager
def started_canary(seconds: int, directory: Path) -> Iterator[measure.Canary | None]:
    if not seconds:
        yield None
        return
    if shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin") is None:
        raise SystemExit(
            f"nginx, which shows how fast this machine is, was not found. {INSTALL_HINT} Or: --canary 0"
        )
    work = workload("lr")
    with running(PEERS["nginx"], work, Path("python"), directory / "canary", 1) as server:
        target = (server.url, work.content_type)
        yield measure.Canary(
            server, Generator.prepare(directory / "canary", target, work.body, b"0"), seconds
        )


def _environments(work: Workload, options: argparse.Namespace) -> list[tuple[Peer, Path]]:
    return [
        (peer, environments.ensure(peer, work.name, options.cache, options.python38))
        for peer in peers_for(work, options.peers)
    ]


def main(argv: list[str] | None = None) -> None:
    options = parse_arguments(argv)
    require_wrk()
    if options.gpt_layers:
        os.environ["BENCH_GPT_LAYERS"] = str(options.gpt_layers)
    workloads = [workload(name) for name in options.workloads]
    peers = {work.name: _environments(work, options) for work in workloads}
    everyone = {peer.name: (peer, python) for pairs in peers.values() for peer, python in pairs}
    started = datetime.datetime.now(datetime.timezone.utc)
    record: dict[str, Any] = {
        "date": started.isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "warm_s": options.warm,
        "peers": {
            name: {"title": peer.title, "version": environments.version(peer, python)}
            for name, (peer, python) in everyone.items()
        },
        "workloads": {work.name: work.title for work in workloads},
        "cells": [],
        "failures": [],
    }
    output = options.output or options.cache / "results" / f"{started:%Y%m%d-%H%M%S}.json"
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        started_canary(options.canary, Path(name)) as canary,
    ):
        plan = measure.Plan(
            peers=peers,
            workloads=workloads,
            connections=tuple(map(int, options.connections.split(","))) if options.connections else None,
            rounds=options.rounds,
            seconds=options.seconds,
            warm_s=options.warm,
            repeats=options.repeats,
            directory=Path(name),
            seed=options.seed,
            threads=options.threads,
            open_loads=tuple(load for load in map(float, options.open_loads.split(",")) if load),
            open_seconds=options.open_seconds,
            open_rounds=options.open_rounds,
        )
        for cell in measure.run(plan, canary, record["failures"]):
            record["cells"].append(cell)
            print(report.one_line(cell), flush=True)
            write_record(output, record)  # a run that is cut short has not been in vain
        write_record(output, record)
    print(f"\n{write_tables(output, record)}\n\nwritten: {output} and its .svg and .md neighbours")


if __name__ == "__main__":
    main()
