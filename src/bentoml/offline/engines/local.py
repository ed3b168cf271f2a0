"""This machine: one copy of the service in this process, or one in each of several processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

from bentoml.bundle.load import load_from_dir
from bentoml.offline.pieces import cut, finish
from bentoml.offline.planner import planner_for
from bentoml.offline.values import Checkpoint, Finished, Outcome, Piece

from .base import Plan
from .inline import Executor, InlineExecutor
from .processes import ProcessExecutor


def run_local(plan: Plan, start: Checkpoint | None, done: int) -> Iterator[Finished]:
    """See `base.Engine`. Raises what loading the service raises."""
    planner = planner_for(plan.source.mode, plan.batch_size, plan.memory_bytes)
    chunks = plan.source.chunks(start.position if start else None)
    window: deque[tuple[Piece, Future[Outcome]]] = deque()

    def oldest() -> Finished:
        piece, future = window.popleft()
        outcome = future.result()
        planner.note(piece.rows, outcome.seconds, outcome.peak_bytes)
        return finish(piece, outcome, plan.keeper)

    executor = _executor(plan)
    try:
        for piece in cut(chunks, planner, *((start.skip, None) if start else (None, 0.0))):
            window.append((piece, executor.submit(piece)))
            while len(window) > executor.depth or (window and window[0][1].done()):
                yield oldest()
        while window:
            yield oldest()
    finally:
        executor.close()


def _executor(plan: Plan) -> Executor:
    """Load the service where the pieces will run."""
    target, mode, workers = plan.target, plan.source.mode, plan.workers or 1
    if workers > 1:
        return ProcessExecutor(target.saved(f"{workers} workers"), target.spec.name, mode, workers)
    service = target.service
    if service is None:
        service = load_from_dir(target.saved("a run"), verify=False)  # find_target did
    return InlineExecutor(service, target.spec.name, mode)
