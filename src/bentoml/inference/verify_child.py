"""The child's side of `verify`: load the bundle, replay its examples, write down what happened."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bentoml.bundle.load import load_from_dir
from bentoml.types import Reply

from .answer_diff import Tolerance, difference
from .batch_check import Run, payload_runner
from .examples import Example, read_examples
from .session import Session

if TYPE_CHECKING:
    from bentoml.service.base import BentoService

_TIMED_CALLS = 20
_SMALLEST_BATCH = 8


def run(orders: dict[str, Any]) -> None:
    """Write the outcome to the file `orders["result"]`, also when loading fails."""
    outcome: dict[str, Any] = {"error": "", "load_s": 0.0, "memory_bytes": 0, "apis": []}
    started = perf_counter()
    before = memory_bytes()
    try:
        service = load_from_dir(orders["bundle"], verify=False)  # the parent did
        for artifact in service.artifacts.get_artifact_list():
            if artifact.is_ready:
                artifact.get()
        outcome["load_s"] = perf_counter() - started
        outcome["memory_bytes"] = max(memory_bytes() - before, 0)
        tolerance = Tolerance(orders["tolerance"], orders["tolerance"] * 1e-3)
        file = orders["examples"]
        examples = read_examples(Path(file).read_text("utf-8")) if file else []
        with Session(service) as session:
            outcome["apis"] = _replay_all(service, session, examples, tolerance)
        outcome["peak_bytes"] = peak_bytes()
    except BaseException as err:  # the service's own code runs here; whatever it raises is the result
        outcome["error"] = f"{type(err).__name__}: {err}"[:2000]
    Path(orders["result"]).write_text(json.dumps(outcome), "utf-8")


def _replay_all(
    service: BentoService, session: Session, examples: Sequence[Example], tolerance: Tolerance
) -> list[dict[str, Any]]:
    found = []
    for name in dict.fromkeys(example.api for example in examples):
        api = service.get_inference_api(name)
        mine = [example for example in examples if example.api == name]
        row = _replay(payload_runner(api, session), mine, tolerance, api.batch, api.mb_max_batch_size)
        found.append({"api": name, "examples": len(mine), **row})
    return found


def _replay(
    run_payloads: Run, examples: Sequence[Example], tolerance: Tolerance, is_batch: bool, largest: int
) -> dict[str, Any]:
    differences: list[str] = []
    for number, example in enumerate(examples):
        (reply,) = run_payloads([example.payload])
        differences += _compare(example, reply, tolerance, f"example {number}, alone")
    row: dict[str, Any] = {"latency_s": _latency(run_payloads, examples), "batch": 0}
    if is_batch and largest > 1:
        # An answer that is an error may fail a whole batch on its own; a server takes it out first.
        sound = [number for number, example in enumerate(examples) if not example.reply.error]
        repeats = -(-_SMALLEST_BATCH // max(len(sound), 1))
        batch = (sound * repeats)[:largest] if sound else []
        started = perf_counter()
        replies = run_payloads([examples[number].payload for number in batch]) if batch else []
        row["batch"], row["batch_s"] = len(batch), perf_counter() - started
        for number, reply in zip(batch, replies, strict=True):
            where = f"example {number}, in a batch of {len(batch)}"
            differences += _compare(examples[number], reply, tolerance, where)
    row["differences"] = list(dict.fromkeys(differences))
    return row


def _compare(example: Example, reply: Reply, tolerance: Tolerance, where: str) -> list[str]:
    found = difference(example.reply, reply, tolerance)
    if found is None:
        return []
    shown = f" ({reply.body.decode('utf-8', 'replace')[:200]})" if reply.error else ""
    return [f"{where}: {found}{shown}"]


def _latency(run_payloads: Run, examples: Sequence[Example]) -> float:
    """Median seconds of one request, everything warm."""
    times = []
    for number in range(_TIMED_CALLS):
        payload = examples[number % len(examples)].payload
        started = perf_counter()
        run_payloads([payload])
        times.append(perf_counter() - started)
        if sum(times) > 1.0:
            break
    return sorted(times)[len(times) // 2]


def memory_bytes() -> int:
    """Resident memory of this process now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    import resource  # noqa: PLC0415 - POSIX only

    return pages * resource.getpagesize()


def peak_bytes() -> int:
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
