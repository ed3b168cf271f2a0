"""`python -m benchmarks.serving`: start each server, check it, load it, compare."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import chart, environments, machine, measure, report
from .load import INSTALL_HINT, Generator, require_wrk
from .registry import DEFAULT_PEERS, PEERS
from .server import running
from .workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[2]


def _names(table: dict[str, Any]) -> Any:
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
        default=list(DEFAULT_PEERS),
        help=f"comma-separated: {', '.join(PEERS)}",
    )
    add("--workloads", type=_names(WORKLOADS), default=list(WORKLOADS), help="comma-separated; default: all")
    add("--connections", default="1,128,512", help="open connections, comma-separated (default: %(default)s)")
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
    work = WORKLOADS["lr"]
    with running(PEERS["nginx"], work, Path("python"), directory / "canary", 1) as server:
        target = (server.url, work.content_type)
        yield measure.Canary(
            server, Generator.prepare(directory / "canary", target, work.body, b"0"), seconds
        )


def write_results(
    output: Path, record: dict[str, Any], table: list[report.Row], titles: dict[str, str]
) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    host = record["machine"]
    caption = (
        f"{host['cpu']}, {host['cores']} cores, {record['date'][:10]}, median of {record['rounds']} rounds"
    )
    output.write_text(json.dumps(record, indent=1) + "\n")
    output.with_suffix(".svg").write_text(chart.draw(table, titles, caption))
    output.with_suffix(".md").write_text(f"{caption}\n\n{report.as_markdown(table, titles)}\n")


def main(argv: list[str] | None = None) -> None:
    options = parse_arguments(argv)
    require_wrk()
    peers = [
        (PEERS[n], environments.ensure(PEERS[n], options.cache, options.python38)) for n in options.peers
    ]
    started = datetime.datetime.now(datetime.timezone.utc)
    record: dict[str, Any] = {
        "date": started.isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "warm_s": options.warm,
        "peers": {
            p.name: {"title": p.title, "version": environments.version(p, python)} for p, python in peers
        },
        "workloads": {name: WORKLOADS[name].title for name in options.workloads},
        "cells": [],
    }
    output = options.output or options.cache / "results" / f"{started:%Y%m%d-%H%M%S}.json"
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        started_canary(options.canary, Path(name)) as canary,
    ):
        plan = measure.Plan(
            peers=peers,
            workloads=[WORKLOADS[name] for name in options.workloads],
            connections=tuple(int(c) for c in options.connections.split(",")),
            rounds=options.rounds,
            seconds=options.seconds,
            warm_s=options.warm,
            canary_s=options.canary,
            repeats=options.repeats,
            directory=Path(name),
            seed=options.seed,
        )
        for cell in measure.run(plan, canary):
            record["cells"].append(cell)
            print(report.one_line(cell), flush=True)
    table = report.rows(record["cells"])
    titles = {peer.name: peer.title for peer, _ in peers}
    print(f"\n{report.as_markdown(table, titles)}\n")
    write_results(output, record, table, titles)
    print(f"written: {output} and its .svg and .md neighbours")


if __name__ == "__main__":
    main()
