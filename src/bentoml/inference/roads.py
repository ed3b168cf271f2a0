"""Two ways from payloads to calls: by plain values, and by tasks for code of the 0.13 line.

The value road makes no object per item but the value and its reply. Tasks are made only for a
function that takes `task`/`tasks`, an output adapter that packs its results itself, or an input
adapter that overrides a 0.13 method; the latter goes the task road, where that method is called
as it was in 0.13, except that discarded tasks are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from bentoml.adapters.base_input import BaseInputAdapter, Group
from bentoml.exceptions import BentoMLException
from bentoml.types import HTTPRequest, InferenceTask, Payload, Reply, error_reply

from .calls import Call, Failure, Steps, log_failure
from .results import Finisher, discarded_reply, failure_reply

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI

Outcome = list[Reply] | Failure


class Road(Protocol):
    """The payloads of one run on their way through one API.

    Attributes:
        replies: a reply per payload that is finished already, else None.
    """

    replies: list[Reply | None]
    payloads: Sequence[Payload]

    def groups(self) -> list[tuple[Sequence[int], Group | None]]:
        """Items of each batch call, with its merged arguments where they are at hand."""
        ...

    def attempt(self, items: Sequence[int], group: Group | None = None) -> Steps[Outcome]:
        """One batch call with `items`; their replies in order, or what was raised."""
        ...

    def one(self, item: int) -> Steps[Reply]:
        """One call for one item."""
        ...


class ValueRoad:
    """Decode, merge, call."""

    def __init__(self, api: InferenceAPI, finisher: Finisher, payloads: Sequence[Payload]) -> None:
        self.api = api
        self.adapter = api.input_adapter
        self.finisher = finisher
        self.payloads = payloads
        self.with_tasks = api.task_argument is not None or finisher.packs_itself
        self.values = decode_all(self.adapter, payloads)
        if Reply in set(map(type, self.values)):
            self.replies: list[Reply | None] = [v if type(v) is Reply else None for v in self.values]
        else:
            self.replies = [None] * len(payloads)

    def groups(self) -> list[tuple[Sequence[int], Group | None]]:
        whole = not any(self.replies)
        good = range(len(self.values)) if whole else [i for i, r in enumerate(self.replies) if r is None]
        if not good:
            return []
        try:
            merged = self.adapter.merge(self.values if whole else [self.values[i] for i in good])
        except Exception:  # a merge of user code: `attempt` meets it again and isolates it
            return [(good, None)]
        if len(merged) == 1 and len(merged[0].indices) == len(good):
            return [(good, merged[0])]
        return [([good[i] for i in group.indices], group) for group in merged]

    def attempt(self, items: Sequence[int], group: Group | None = None) -> Steps[Outcome]:
        try:
            merged = self.adapter.merge([self.values[i] for i in items]) if group is None else [group]
        except Exception as err:
            return Failure(err)
        if len(merged) == 1:
            return (yield from self._call(items, merged[0]))
        replies: dict[int, Reply] = {}
        for part in merged:
            mine = [items[i] for i in part.indices]
            outcome = yield from self._call(mine, part)
            if isinstance(outcome, Failure):
                return outcome
            replies.update(zip(mine, outcome, strict=True))
        return [replies[i] for i in items]

    def _call(self, items: Sequence[int], group: Group) -> Steps[Outcome]:
        if not self.with_tasks:
            result = yield Call(group.args)
            if isinstance(result, Failure):
                return result
            return self.finisher.batch(result, group.rows, (), self._accepts(items))
        tasks = [self._task(i, rows) for i, rows in zip(items, group.rows, strict=True)]
        result = yield Call(group.args, task_kwargs(self.api, tasks))
        return finish_tasks(self.finisher, result, items, tasks, group.rows)

    def one(self, item: int) -> Steps[Reply]:
        args = self.adapter.single(self.values[item])
        if not self.with_tasks:
            result = yield Call(args)
            if isinstance(result, Failure):
                log_failure(result.error)
                return failure_reply(result.error)
            return self.finisher.one(result, (), self._accepts([item]))
        task = self._task(item, None)
        result = yield Call(args, task_kwargs(self.api, [task]))
        return finish_one(self.finisher, result, task)

    def _accepts(self, items: Sequence[int]) -> Sequence[str]:
        return [self.payloads[i].head.accept for i in items] if self.finisher.negotiates else ()

    def _task(self, item: int, rows: int | None) -> InferenceTask:
        payload = self.payloads[item]
        task = self.adapter.make_task(payload, http_method=payload.head.method)
        task.batch = rows
        return task


class TaskRoad:
    """The adapter's own `from_http_request`, `extract_user_func_args` and `iter_batch_args`.

    Args:
        tasks: run these, one per payload, instead of making tasks from the payloads.
    """

    def __init__(
        self,
        api: InferenceAPI,
        finisher: Finisher,
        payloads: Sequence[Payload],
        tasks: Sequence[InferenceTask] | None = None,
    ) -> None:
        self.api = api
        self.adapter = api.input_adapter
        self.finisher = finisher
        self.payloads = payloads
        self._given = tasks
        self.replies: list[Reply | None] = [None] * len(payloads)

    def groups(self) -> list[tuple[Sequence[int], Group | None]]:
        return [(range(len(self.payloads)), None)] if self.payloads else []

    def attempt(self, items: Sequence[int], group: Group | None = None) -> Steps[Outcome]:
        tasks: list[InferenceTask] = []
        try:
            tasks = [self._task(i) for i in items]
            args = self._extract(tasks)
        except Exception as err:
            if tasks and all(task.is_discarded for task in tasks):
                return [discarded_reply(task) for task in tasks]
            return Failure(err)
        live = live_tasks(tasks)
        if not live:
            return [discarded_reply(task) for task in tasks]
        result = yield Call(args, task_kwargs(self.api, live))
        return finish_tasks(self.finisher, result, items, tasks, [task.batch for task in tasks])

    def one(self, item: int) -> Steps[Reply]:
        task: InferenceTask | None = None
        try:
            task = self._task(item)
            args = self._extract([task])
            single = None if task.is_discarded else next(iter(self._iter_args(args, [task])), None)
        except Exception as err:
            if task is not None and task.is_discarded:
                return discarded_reply(task)
            log_failure(err)
            return failure_reply(err)
        if task.is_discarded or single is None:
            return discarded_reply(task)
        result = yield Call(tuple(single), task_kwargs(self.api, [task]))
        return finish_one(self.finisher, result, task)

    def _extract(self, tasks: Sequence[InferenceTask]) -> tuple[Any, ...]:
        live = live_tasks(tasks)
        return tuple(self.adapter.extract_user_func_args(live)) if live else ()

    def _iter_args(self, args: tuple[Any, ...], tasks: Sequence[InferenceTask]) -> Iterable[Any]:
        return self.adapter.iter_batch_args(args, tasks)

    def _task(self, item: int) -> InferenceTask:
        if self._given is not None:
            return replace(self._given[item])  # a call that is repeated starts from a fresh task
        payload = self.payloads[item]
        head = payload.head
        task = self.adapter.from_http_request(HTTPRequest(head.headers, payload.body, head.method))
        if payload.request_id:
            task.task_id = payload.request_id
        return task


def decode_all(adapter: BaseInputAdapter, payloads: Sequence[Payload]) -> list[Any]:
    """A value or an error reply per payload; a bug in an adapter costs only the item it meets."""
    try:
        return adapter.decode_many(payloads)
    except Exception:
        return [_decode_guarded(adapter, payload) for payload in payloads]


def _decode_guarded(adapter: BaseInputAdapter, payload: Payload) -> Any:
    try:
        return adapter.decode_or_reply(payload)
    except Exception as err:
        log_failure(err)
        return _decode_failure(err, adapter)


def _decode_failure(err: Exception, adapter: BaseInputAdapter) -> Reply:
    if isinstance(err, BentoMLException):
        return error_reply(err.http_status, str(err))
    return error_reply(500, f"{type(adapter).__name__} could not read this request")


def live_tasks(tasks: Sequence[InferenceTask]) -> list[InferenceTask]:
    return [task for task in tasks if not task.is_discarded]


def task_kwargs(api: InferenceAPI, tasks: Sequence[InferenceTask]) -> Mapping[str, Any]:
    if api.task_argument is None:
        return {}
    return {api.task_argument: tasks[0] if api.task_argument == "task" else tuple(tasks)}


def finish_tasks(
    finisher: Finisher,
    result: Any,
    items: Sequence[int],
    tasks: Sequence[InferenceTask],
    rows: Sequence[int | None],
) -> Outcome:
    """Replies of all `tasks`; those discarded before or during the call have their own error."""
    if isinstance(result, Failure):
        settled = {
            i: discarded_reply(task) for i, task in zip(items, tasks, strict=True) if task.is_discarded
        }
        if len(settled) < len(tasks):
            return result._replace(settled=settled)
        log_failure(result.error)
        return list(settled.values())
    live = [(task, count) for task, count in zip(tasks, rows, strict=True) if not task.is_discarded]
    if not live:
        return [discarded_reply(task) for task in tasks]
    kept = [task for task, _ in live]
    found = iter(finisher.batch(result, [count for _, count in live], kept, accepts_of(finisher, kept)))
    return [discarded_reply(task) if task.is_discarded else next(found) for task in tasks]


def finish_one(finisher: Finisher, result: Any, task: InferenceTask) -> Reply:
    if task.is_discarded:
        return discarded_reply(task)
    if isinstance(result, Failure):
        log_failure(result.error)
        return failure_reply(result.error)
    return finisher.one(result, [task], accepts_of(finisher, [task]))


def accepts_of(finisher: Finisher, tasks: Sequence[InferenceTask]) -> Sequence[str]:
    if not finisher.negotiates:
        return ()
    return [", ".join(task.http_headers.get_all("accept")) for task in tasks]
