"""Measure: rounds of bare loop and offline run in turn, so that what else the machine does meets both.

An overhead is the median over the pairs of `measured - reference`, as a share of the reference's median.
In CPU time it tells small differences apart where wall time, with disks and neighbours, cannot.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.serving.machine import describe

from .inputs import make_forest, make_jsonl, make_parquet
from .measure import as_dict, bare, ours, run_program

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "offline.json"
_START_ROWS = 10_000
Commands = dict[str, Callable[[], list[str]]]


def cases(folder: Path, options: argparse.Namespace) -> dict[str, tuple[str, int, Commands]]:
    """Name → sentence, rows, and commands: the first is the reference, the second is measured by it."""
    out = folder / "out"

    def parquet(trees: int, rows: int, measured: tuple[str, ...], reference: tuple[str, ...]) -> Commands:
        home, source = make_forest(folder, trees), make_parquet(folder, rows)
        python = options.ray_python if "ray" in measured else sys.executable

        def fresh_job() -> list[str]:
            shutil.rmtree(folder / "job", ignore_errors=True)
            return ours(home, source, out / "ours.parquet", *measured, python=python)

        return {
            "reference": lambda: (
                bare(home, source, out / "bare.parquet")
                if reference == ("bare",)
                else ours(home, source, out / "reference.parquet", *reference, python=python)
            ),
            "measured": fresh_job,
        }

    job = ("--job", str(folder / "job"), "--workers", "1")
    two = ("--workers", "2")
    rows, lines = options.rows, options.lines
    home = make_forest(folder, 10)
    found: dict[str, tuple[str, int, Commands]] = {
        "parquet": (
            "Parquet to Parquet, forest of 10 trees; bare loop",
            rows,
            parquet(10, rows, ("--batch-size", "131072") if options.fixed else ("--workers", "1"), ("bare",)),
        ),
        "jsonl": (
            "JSON lines to JSON lines, forest of 10 trees; bare pandas loop",
            lines,
            {
                "reference": lambda: bare(home, make_jsonl(folder, lines), out / "bare.jsonl"),
                "measured": lambda: ours(home, make_jsonl(folder, lines), out / "ours.jsonl"),
            },
        ),
        "job": (
            "Parquet to Parquet with --job; without",
            rows,
            parquet(10, rows, job, ("--workers", "1")),
        ),
    }
    if options.ray_python:
        what = "Ray with 2 actors, forest of 100 trees; local engine with 2 workers"
        for name, count in (("ray", options.ray_rows), ("ray_start", _START_ROWS)):
            found[name] = (what, count, parquet(100, count, ("--engine", "ray", *two), two))
    return found


def measure(name: str, commands: Commands, rounds: int) -> dict[str, Any]:
    """Runs of all commands in turn, the order swapped from round to round, and the median ratio."""
    runs: dict[str, list[Any]] = {key: [] for key in commands}
    for number in range(rounds):
        order = list(commands)
        for key in order if number % 2 == 0 else reversed(order):
            runs[key].append(run_program(commands[key]()))
            print(f"{name} {key} {number}: {runs[key][-1]}", flush=True)
    ratios = [a.seconds / b.seconds for a, b in zip(runs["reference"], runs["measured"], strict=True)]
    return {
        "speed_ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "overhead": {name: overhead(runs, name) for name in ("seconds", "cpu_s")},
        "peak_mib": round(max(run.peak_mib for run in runs["measured"])),
        "runs": {key: [as_dict(run) for run in values] for key, values in runs.items()},
    }


def overhead(runs: dict[str, list[Any]], name: str) -> dict[str, Any]:
    """Median and quartiles of the differences of pairs, as shares of the reference."""
    before = [getattr(run, name) for run in runs["reference"]]
    after = [getattr(run, name) for run in runs["measured"]]
    shares = sorted((b - a) / median(before) for a, b in zip(before, after, strict=True))
    low, middle, high = quantiles(shares, n=4) if len(shares) > 1 else shares * 3
    return {"median": round(middle, 4), "quartiles": [round(low, 4), round(high, 4)]}


def steady(long: dict[str, Any], short: dict[str, Any]) -> dict[str, Any]:
    """Rows/s of each engine beyond what a short run takes, which is its start, and their ratio."""

    def seconds(case: dict[str, Any], key: str) -> float:
        return float(median(run["seconds"] for run in case["runs"][key]))

    rows = long["rows"] - short["rows"]
    speed = {key: rows / (seconds(long, key) - seconds(short, key)) for key in ("reference", "measured")}
    return {
        "start_s": {key: round(seconds(short, key), 1) for key in speed},
        "rows_per_s": {key: round(value) for key, value in speed.items()},
        "ratio": round(speed["measured"] / speed["reference"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offline", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench-offline")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--ray-rows", type=int, default=8_000_000)
    parser.add_argument("--ray-python", help="interpreter of an environment with bentoml[ray]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fixed", action="store_true", help="the bare loop's batch size instead of adapting")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parquet, jsonl, job, ray, ray_start")
    parser.add_argument("--prepare", action="store_true", help="make the inputs and stop")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    (options.folder / "out").mkdir(parents=True, exist_ok=True)
    todo = {n: c for n, c in cases(options.folder, options).items() if not options.only or n in options.only}
    make_jsonl(options.folder, options.lines)
    if options.prepare:
        return
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    for name, (what, rows, commands) in todo.items():
        found = measure(name, commands, options.rounds)
        results[name] = {"what": what, "rows": rows, **found, "machine": describe()}
        print(
            f"{name}: {found['speed_ratio']} of the reference, overhead {found['overhead']}, "
            f"peak {found['peak_mib']} MiB"
        )
        if {"ray", "ray_start"} <= results.keys():
            results["ray"]["steady"] = steady(results["ray"], results["ray_start"])
        options.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
