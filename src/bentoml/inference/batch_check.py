"""Does each item get the same answer alone and in a batch?

That is what a server with micro-batching takes for granted, and what a function breaks without
noticing: by normalising with the batch's mean, by padding to its longest text, by a layer that was
left in training mode. Here every item is run alone, with all others, and in random company.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import InvalidArgument
from bentoml.types import Payload, Reply, RequestHead

from .answer_diff import Tolerance, difference
from .pipeline import Pipeline
from .session import Session

if TYPE_CHECKING:
    from bentoml.service.base import BentoService
    from bentoml.service.inference_api import InferenceAPI

Run = Callable[[Sequence[Any]], list[Reply]]
NEIGHBOURS_TRIED = 8


@dataclass(frozen=True)
class Finding:
    """One item whose answer is not its own.

    Attributes:
        item: its position, from 0.
        together: its answer in the batch of the items `batch`, itself included.
        where: what differs, for people.
    """

    item: int
    alone: Reply
    together: Reply
    batch: tuple[int, ...]
    where: str


@dataclass(frozen=True)
class BatchReport:
    """What was run and what was found.

    Attributes:
        items: number of items.
        batches: sizes of the batches that were run, single items aside.
        findings: the first difference of each item that has one.
        unsteady: items that answered differently when run alone twice; nothing can be said about them.
        failing: items that are an error alone, with its text; they were left out of the batches.
    """

    api: str
    items: int
    batches: tuple[int, ...]
    findings: tuple[Finding, ...]
    unsteady: tuple[int, ...]
    failing: dict[int, str]
    tolerance: Tolerance

    @property
    def compared(self) -> int:
        return self.items - len(self.unsteady) - len(self.failing)

    @property
    def ok(self) -> bool:
        """Every item was steady, and at least two were compared and had their own answers."""
        return not self.findings and not self.unsteady and self.compared > 1


def check_batching(
    service: BentoService,
    api: str,
    inputs: Sequence[Any],
    *,
    batch_size: int | None = None,
    rounds: int = 4,
    tolerance: Tolerance | float | None = None,
    seed: int = 0,
) -> BatchReport:
    """Run each input alone and in batches, and compare the answers.

    Args:
        service: the packed service.
        api: the name of an API with `batch=True`.
        inputs: bodies: bytes as they are, anything else as JSON; or `Payload`s.
        batch_size: largest batch; the API's `mb_max_batch_size` by default.
        rounds: random partitions that are tried after the inputs in their own order.
        tolerance: how far numbers may differ: a share of the larger one, or a `Tolerance`.

    Raises:
        InvalidArgument: the API has no batches, or there are fewer than two inputs.
    """
    found = service.get_inference_api(api)
    with Session(service) as session:
        return check_items(
            found,
            [_payload(value) for value in inputs],
            payload_runner(found, session),
            batch_size=batch_size,
            rounds=rounds,
            tolerance=tolerance,
            seed=seed,
        )


def check_items(
    api: InferenceAPI,
    items: Sequence[Any],
    run: Run,
    *,
    batch_size: int | None = None,
    rounds: int = 4,
    tolerance: Tolerance | float | None = None,
    seed: int = 0,
) -> BatchReport:
    """As `check_batching`, for items that `run` understands."""
    if not api.batch:
        raise InvalidArgument(
            f"API '{api.name}' has batch=False: its function never sees two items at once, there is nothing "
            "to check"
        )
    if len(items) < 2:
        raise InvalidArgument(f"{len(items)} item(s) given; a batch to compare with needs at least two")
    if not isinstance(tolerance, Tolerance):
        tolerance = Tolerance() if tolerance is None else Tolerance(tolerance, tolerance * 1e-3)
    alone = [run([item])[0] for item in items]
    again = [run([item])[0] for item in items]
    failing = {i: reply.body.decode("utf-8", "replace") for i, reply in enumerate(alone) if reply.error}
    pairs = zip(alone, again, strict=True)
    unsteady = tuple(i for i, (a, b) in enumerate(pairs) if i not in failing and difference(a, b, tolerance))
    sound = [i for i in range(len(items)) if i not in failing and i not in unsteady]
    size = min(batch_size or api.mb_max_batch_size, len(items))
    findings: dict[int, Finding] = {}
    sizes = []
    for batch in _partitions(sound, size, rounds, random.Random(seed)):
        sizes.append(len(batch))
        replies = run([items[i] for i in batch])
        for i, reply in zip(batch, replies, strict=True):
            where = difference(alone[i], reply, tolerance)
            if where and i not in findings:
                findings[i] = Finding(i, alone[i], reply, tuple(batch), where)
    smallest = [_with_one_neighbour(finding, items, run, tolerance) for finding in findings.values()]
    ordered = tuple(sorted(smallest, key=lambda finding: finding.item))
    return BatchReport(api.name, len(items), tuple(sizes), ordered, unsteady, failing, tolerance)


def payload_runner(api: InferenceAPI, session: Session) -> Run:
    """Runs payloads through a pipeline that does not take a failing batch apart."""
    pipeline = _pipeline(api)
    if api.is_async:
        return lambda payloads: session.wait_for(partial(pipeline.run_async, payloads))
    return pipeline.run


def task_runner(api: InferenceAPI, session: Session) -> Run:
    """As `payload_runner`, for the tasks of an adapter that makes its own."""
    pipeline = _pipeline(api)
    if api.is_async:
        return lambda tasks: session.wait_for(partial(pipeline.run_tasks_async, list(map(copy, tasks))))
    return lambda tasks: pipeline.run_tasks(list(map(copy, tasks)))


def _pipeline(api: InferenceAPI) -> Pipeline:
    whole = copy(api)
    whole.isolate = False
    return Pipeline(whole)


def _partitions(items: Sequence[int], size: int, rounds: int, rng: random.Random) -> list[list[int]]:
    """Batches of at least two: the items in order, then shuffled and cut at random, `rounds` times."""
    batches = [list(items[start : start + size]) for start in range(0, len(items), size)]
    for _ in range(rounds):
        left = list(items)
        rng.shuffle(left)
        while left:
            count = rng.randint(2, max(2, size))
            batches.append(left[:count])
            del left[:count]
    return [batch for batch in batches if len(batch) > 1]


def _with_one_neighbour(finding: Finding, items: Sequence[Any], run: Run, tolerance: Tolerance) -> Finding:
    """The same finding in a batch of two, if one of the first neighbours is enough to show it."""
    others = [i for i in finding.batch if i != finding.item][:NEIGHBOURS_TRIED]
    if len(finding.batch) == 2:
        return finding
    for other in others:
        reply = run([items[finding.item], items[other]])[0]
        where = difference(finding.alone, reply, tolerance)
        if where:
            return Finding(finding.item, finding.alone, reply, (finding.item, other), where)
    return finding


def _payload(value: Any) -> Payload:
    if isinstance(value, Payload):
        return value
    if isinstance(value, (bytes, bytearray)):
        return Payload(bytes(value))
    head = RequestHead.build({"Content-Type": "application/json"})
    return Payload(json.dumps(value).encode(), head)
