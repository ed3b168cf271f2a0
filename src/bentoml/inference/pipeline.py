"""Decode, call, encode: the one path every prediction takes, from any source, in any process.

`Pipeline.run` takes what clients sent and gives back one reply each, in the same order. Whatever a
client sends or user code does ends in that client's reply and in nobody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, cast

from bentoml.adapters.base_input import Group, overrides_legacy
from bentoml.adapters.limits import DecodeLimits
from bentoml.types import InferenceTask, Payload, Reply

from .calls import Failure, Steps, Times, drive, drive_async, log_failure
from .isolation import Ledger, isolate
from .results import Finisher, failure_reply
from .roads import Road, TaskRoad, ValueRoad
from .row_spans import spans

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI

__all__ = ["Pipeline", "Times"]


class Pipeline:
    """Runs items through one API of one service.

    `run` may be called from several threads if the user function allows it, `run_async` many times at
    once on one event loop; `last_times` is then that of any one of them.

    Args:
        api: the API.
        limits: bounds on what decoding one item may cost, told to the input adapter; None leaves
            the adapter as it is.
        max_rows: most rows in one call of a batch API, instead of the API's own `max_batch_rows`.

    Attributes:
        last_times: seconds the latest finished run spent in each step.
    """

    def __init__(
        self, api: InferenceAPI, limits: DecodeLimits | None = None, max_rows: int | None = None
    ) -> None:
        self.api = api
        self.last_times = Times()
        if limits is not None:
            api.input_adapter.limits = limits
        self._finisher = Finisher(api.output_adapter, api.name)
        self._road = TaskRoad if overrides_legacy(api.input_adapter) else ValueRoad
        self._ledger = Ledger()
        self._max_rows = max_rows or api.max_batch_rows

    def run(self, payloads: Sequence[Payload]) -> list[Reply]:
        """One reply per payload. Raises nothing that user code raised."""
        if self.api.is_async:
            return asyncio.run(self.run_async(payloads))
        times = Times()
        started = perf_counter()
        return self._run(self._start(payloads, times), times, started)

    def run_tasks(self, tasks: Sequence[InferenceTask]) -> list[Reply]:
        """As `run`, for tasks that were made elsewhere; the data of each is taken as it is."""
        if self.api.is_async:
            return asyncio.run(self.run_tasks_async(tasks))
        return self._run(self._road_of_tasks(tasks), Times(), perf_counter())

    async def run_tasks_async(self, tasks: Sequence[InferenceTask]) -> list[Reply]:
        """As `run_tasks`, on the running event loop if the function is `async def`."""
        if not self.api.is_async:
            return self.run_tasks(tasks)
        return await self._run_async(self._road_of_tasks(tasks), Times(), perf_counter())

    def _road_of_tasks(self, tasks: Sequence[InferenceTask]) -> Road:
        payloads = [Payload(b"", request_id=task.task_id) for task in tasks]
        return TaskRoad(self.api, self._finisher, payloads, tasks)

    def _run(self, road: Road, times: Times, started: float) -> list[Reply]:
        if self.api.batch:
            drive(self._batch(road, times), self.api.user_func, times)
        else:
            for item in _open_items(road):
                road.replies[item] = drive(road.one(item), self.api.user_func, times)
        return self._finish(road, times, started)

    async def run_async(self, payloads: Sequence[Payload]) -> list[Reply]:
        """As `run`; an `async def` function is awaited, items of one-by-one APIs side by side."""
        if not self.api.is_async:
            return self.run(payloads)
        times = Times()
        started = perf_counter()
        return await self._run_async(self._start(payloads, times), times, started)

    async def _run_async(self, road: Road, times: Times, started: float) -> list[Reply]:
        func = self.api.user_func
        if self.api.batch:
            await drive_async(self._batch(road, times), func, times)
        else:
            items = _open_items(road)
            found = await asyncio.gather(*(drive_async(road.one(i), func, times) for i in items))
            for item, reply in zip(items, found, strict=True):
                road.replies[item] = reply
        return self._finish(road, times, started)

    def _start(self, payloads: Sequence[Payload], times: Times) -> Road:
        started = perf_counter()
        road = self._road(self.api, self._finisher, payloads)
        times.decode_s = perf_counter() - started
        return road

    def _finish(self, road: Road, times: Times, started: float) -> list[Reply]:
        total = perf_counter() - started
        times.encode_s = max(0.0, total - times.decode_s - times.call_s)
        self.last_times = times
        return cast("list[Reply]", road.replies)

    def _batch(self, road: Road, times: Times) -> Steps[None]:
        for items, group in self._calls(road, times):
            if not self._needs_care(road, items):
                outcome = yield from road.attempt(items, group)
                if not isinstance(outcome, Failure):
                    self._store(road, items, outcome)
                    continue
                yield from self._after_failure(road, items, outcome)
                continue
            for part in self._parts(road, items):
                outcome = yield from road.attempt(part)
                if isinstance(outcome, Failure):
                    yield from self._after_failure(road, part, outcome)
                else:
                    self._ledger.note_good()
                    self._store(road, part, outcome)

    def _calls(self, road: Road, times: Times) -> Iterator[tuple[Sequence[int], Group | None]]:
        """The groups of a run, those with too many rows in parts."""
        if self._max_rows is None:
            yield from road.groups()
            return
        for items, group in road.groups():
            rows = [1 if count is None else count for count in group.rows] if group else [1] * len(items)
            times.rows += sum(rows)
            if sum(rows) <= self._max_rows:
                yield items, group
            else:
                for start, end in spans(rows, self._max_rows):
                    yield items[start:end], None

    def _after_failure(self, road: Road, items: Sequence[int], failure: Failure) -> Steps[None]:
        log_failure(failure.error)
        if len(items) > 1 and self.api.isolate and self._ledger.may_isolate():
            replies, guilty = yield from isolate(items, failure, road.attempt, self._ledger)
            for item in guilty:
                self._ledger.note_poison(road.payloads[item])
        else:
            replies = {**dict.fromkeys(items, _shared_failure(failure, len(items))), **failure.settled}
        for item, reply in replies.items():
            road.replies[item] = reply

    def _store(self, road: Road, items: Sequence[int], replies: list[Reply]) -> None:
        if len(items) == len(road.replies):
            road.replies[:] = replies
            return
        for item, reply in zip(items, replies, strict=True):
            road.replies[item] = reply

    def _needs_care(self, road: Road, items: Sequence[int]) -> bool:
        ledger = self._ledger
        too_many = ledger.cap is not None and len(items) > ledger.cap
        return too_many or (len(items) > 1 and bool(ledger.suspects(road.payloads, items)))

    def _parts(self, road: Road, items: Sequence[int]) -> list[Sequence[int]]:
        """Known offenders apart from the others, and no part over what memory allows."""
        apart = set(self._ledger.suspects(road.payloads, items))
        size = self._ledger.cap or len(items)
        parts: list[Sequence[int]] = []
        for side in ([i for i in items if i not in apart], sorted(apart)):
            parts += [side[start : start + size] for start in range(0, len(side), size)]
        return parts


def _open_items(road: Road) -> list[int]:
    return [item for item, reply in enumerate(road.replies) if reply is None]


def _shared_failure(failure: Failure, size: int) -> Reply:
    """The reply of every item of a call that is not taken apart.

    A 4xx raised for a whole batch is nobody's in particular, so it is the server's error then.
    """
    reply = failure_reply(failure.error)
    if size > 1 and reply.head.status < 500:
        return failure_reply(RuntimeError(str(failure.error)))
    return reply
