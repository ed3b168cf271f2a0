"""The ceiling: `peers/bare_loop.py` calls the model in a plain loop, in as many processes as the peer has."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .peer import PEERS_DIR, Peer
from .server import base_environment
from .workloads import Workload


def run_loop(
    peer: Peer,
    workload: Workload,
    python: Path,
    directory: Path,
    *,
    clients: int,
    seconds: int,
    warm_s: int,
    threads: int,
) -> dict[str, Any]:
    """A cell of the table. Several processes share the clients among them.

    Raises:
        SystemExit: a loop failed or gave a wrong answer.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "load.body").write_bytes(workload.body)
    questions = []
    for number, (body, expected) in enumerate(workload.checks):
        (directory / f"check-{number}").write_bytes(body)
        questions.append([f"check-{number}", expected])
    (directory / "questions.json").write_text(json.dumps(questions))
    each = max(1, clients // peer.processes)
    command = [str(python), str(PEERS_DIR / "bare_loop.py"), workload.name, str(directory)]
    command += [str(seconds), str(warm_s), str(each)]
    loops = [
        subprocess.Popen(command, env=base_environment(threads), stdout=subprocess.PIPE, text=True)
        for _ in range(peer.processes)
    ]
    outputs = [loop.communicate()[0] for loop in loops]
    if any(loop.returncode for loop in loops):
        raise SystemExit(f"{peer.name} failed on {workload.name}, see above.")
    return _cell([json.loads(output.splitlines()[-1]) for output in outputs])


def _cell(results: list[dict[str, Any]]) -> dict[str, Any]:
    requests = sum(r["requests"] for r in results)
    wrong = sum(r["wrong"] for r in results)
    return {
        "rate": round(sum(r["requests"] / (r["duration_us"] / 1e6) for r in results), 1),
        **{name: max(r[name] for r in results) for name in ("p50_us", "p90_us", "p99_us", "max_us")},
        "requests": requests,
        "faults": wrong,
        "faults_while_reading_answers": 0,
        "answers_read": requests,
        "cpu_us_per_request": round(sum(r["cpu_s"] for r in results) / max(1, requests) * 1e6, 1),
        "quiet": True,
    }
