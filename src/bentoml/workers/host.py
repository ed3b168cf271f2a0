"""A loaded service inside a worker: decodes calls, runs them in their lane, packs the answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml.adapters.limits import DecodeLimits
from bentoml.bundle.load import load_from_dir
from bentoml.exceptions import BentoMLException
from bentoml.inference.pipeline import Pipeline
from bentoml.observability.predictions import PredictionLog
from bentoml.service.openapi import build_openapi
from bentoml.types import Payload, Reply, ReplyHead, RequestHead, error_reply, payloads_of

from .config import WorkerConfig
from .frames import STATUS, Answers, Call, Frame, pack_answers
from .warmup import Sample, warm_up

if TYPE_CHECKING:
    from bentoml.service import BentoService
    from bentoml.service.inference_api import InferenceAPI

logger = logging.getLogger("bentoml.worker")

HEADS_KEPT = 1024
_HEAD_OF, _BODY_OF = itemgetter(0), itemgetter(1)  # of a reply


def load_service(config: WorkerConfig) -> BentoService:
    """The service of the bundle, with its artifacts in memory. Raises whatever loading it raises."""
    service = load_from_dir(config.bundle_path, verify=False)  # the front did
    for artifact in service.artifacts.get_artifact_list():
        if artifact.is_ready:
            artifact.get()  # some formats load on first use; that must not be the first request
    return service


class ServiceHost:
    """Loads the bundle named in `config` and serves its APIs.

    Args:
        send: writes the parts of a frame to the front; called from several threads.
        service: the service of that bundle, if it is loaded already.

    Attributes:
        calls: batches accepted so far.

    Raises:
        BaseException: whatever loading the bundle or a start hook raises.
    """

    def __init__(
        self,
        config: WorkerConfig,
        send: Callable[[list[Frame]], None],
        service: BentoService | None = None,
    ) -> None:
        self.calls = 0
        self._send = send
        self._heads: dict[bytes, RequestHead] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool: ThreadPoolExecutor | None = None
        self.service = load_service(config) if service is None else service
        by_route = {api.route: api for api in self.service.inference_apis}
        self._apis = [by_route[route] for route in config.routes]
        names = {f.name for f in fields(DecodeLimits)}
        limits = DecodeLimits(**{k: v for k, v in config.limits.items() if k in names})
        self._pipelines = [Pipeline(api, limits, config.max_batch_rows) for api in self._apis]
        for hook in self.service.start_hooks:
            self._call_hook(hook)
        self._samples = [self._warm_up(i, config.warmup_batch) for i in range(len(self._apis))]
        self._log = self._open_log(config)

    def _open_log(self, config: WorkerConfig) -> PredictionLog | None:
        if config.prediction_log is None:
            return None
        return PredictionLog(Path(config.prediction_log), self.service.name, self.service.version)

    def hello(self) -> bytes:
        """What the front wants to know about the service, as JSON."""
        return json.dumps(
            {
                "pid": os.getpid(),
                "apis": [
                    {**_describe_api(api), "warmup": samples}
                    for api, samples in zip(self._apis, self._samples, strict=True)
                ],
                "openapi": build_openapi(self.service),
                "readme": inspect.getdoc(type(self.service)) or "",
            },
            default=str,
        ).encode()

    def accept(self, call: Call) -> None:
        """Run a batch: here and now, or on its lane."""
        self.calls += 1
        api = self._apis[call.api]
        payloads = self._payloads(call)
        if api.is_async:
            future = asyncio.run_coroutine_threadsafe(self._run_async(call, payloads), self._event_loop())
            future.add_done_callback(_log_failure)
        elif api.max_concurrency > 1:
            self._threads().submit(self._run, call, payloads).add_done_callback(_log_failure)
        else:
            self._run(call, payloads)

    def close(self) -> None:
        """Run the stop hooks; what they raise is logged."""
        for hook in self.service.stop_hooks:
            try:
                self._call_hook(hook)
            except Exception:
                logger.exception("a stop hook failed")
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._log is not None:
            self._log.close()

    def _warm_up(self, index: int, largest: int) -> list[Sample]:
        """Run the API's example; what it costs, as (size, seconds)."""
        api, pipeline = self._apis[index], self._pipelines[index]
        if not largest:
            return []

        def run(payloads: Sequence[Payload]) -> list[Reply]:
            if not api.is_async:
                return pipeline.run(payloads)
            return asyncio.run_coroutine_threadsafe(pipeline.run_async(payloads), self._event_loop()).result()

        try:
            return warm_up(api, run, largest)
        except Exception:  # an adapter of the user's own may raise anything
            logger.warning("Warm-up of API '%s' failed", api.name, exc_info=True)
            return []

    def _payloads(self, call: Call) -> list[Payload]:
        known = self._heads
        if len(known) > HEADS_KEPT:
            known.clear()
        table = []
        for raw in call.heads:
            head = known.get(raw)
            if head is None:
                head = known[raw] = RequestHead(raw)
            table.append(head)
        if call.indexes is None:
            return payloads_of(call.bodies, repeat(table[0]), call.ids)
        return payloads_of(call.bodies, map(table.__getitem__, call.indexes), call.ids)

    def _run(self, call: Call, payloads: list[Payload]) -> None:
        pipeline = self._pipelines[call.api]
        try:
            replies = pipeline.run(payloads)
        except BaseException:  # the pipeline answers for user code; this is our own mistake
            logger.exception("internal error in API '%s'", self._apis[call.api].name)
            replies = _internal_errors(payloads)
        self._finish(call, payloads, replies, pipeline)

    async def _run_async(self, call: Call, payloads: list[Payload]) -> None:
        pipeline = self._pipelines[call.api]
        try:
            replies = await pipeline.run_async(payloads)
        except BaseException:
            logger.exception("internal error in API '%s'", self._apis[call.api].name)
            replies = _internal_errors(payloads)
        self._finish(call, payloads, replies, pipeline)

    def _finish(self, call: Call, payloads: list[Payload], replies: list[Reply], pipeline: Pipeline) -> None:
        times = pipeline.last_times
        heads, indexes = _head_table(replies)
        answers = Answers(
            call.api,
            call.batch,
            list(map(_BODY_OF, replies)),
            heads,
            indexes,
            (times.decode_s, times.call_s, times.encode_s),
            times.rows,
        )
        self._send(pack_answers(answers))
        if self._log is not None:
            self._log.write(self._apis[call.api].name, payloads, replies)

    def _call_hook(self, hook: Callable[[], Any]) -> None:
        result = hook()
        if inspect.iscoroutine(result):
            asyncio.run_coroutine_threadsafe(result, self._event_loop()).result()

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True, name="bentoml-async").start()
        return self._loop

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            most = max(api.max_concurrency for api in self._apis)
            self._pool = ThreadPoolExecutor(most, thread_name_prefix="bentoml-api")
        return self._pool


def _describe_api(api: InferenceAPI) -> dict[str, Any]:
    return {
        "name": api.name,
        "route": api.route,
        "methods": list(api.http_methods),
        "batch": api.batch,
        "slots": api.max_concurrency if (api.is_async or api.thread_safe) else 1,
        "timeout_s": api.timeout_s,
        "idempotent": api.idempotent or (api.batch and api.isolate),  # isolation calls twice as well
    }


def _head_table(replies: Sequence[Reply]) -> tuple[list[bytes], list[int] | None]:
    first = replies[0].head
    if len(set(map(id, map(_HEAD_OF, replies)))) == 1:
        return [_head_bytes(first)], None
    table: dict[ReplyHead, int] = {}
    indexes = [table.setdefault(reply.head, len(table)) for reply in replies]
    return [_head_bytes(head) for head in table], indexes if len(table) > 1 else None


def _head_bytes(head: ReplyHead) -> bytes:
    raw = _HEAD_BYTES.get(head)
    if raw is None:
        kind = head.content_type
        if kind and not _allowed("content-type", kind):
            kind = "application/octet-stream"
        lines = [f"content-type: {kind}\r\n"] if kind else []
        lines += [f"{name.lower()}: {value}\r\n" for name, value in head.headers if _allowed(name, value)]
        raw = STATUS.pack(head.status) + "".join(lines).encode("latin-1", "replace")
        if len(_HEAD_BYTES) > HEADS_KEPT:
            _HEAD_BYTES.clear()
        _HEAD_BYTES[head] = raw
    return raw


_HEAD_BYTES: dict[ReplyHead, bytes] = {}
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "x-request-id", "date", "server"})


def _allowed(name: str, value: str) -> bool:
    """A header user code may set: not one that frames the message, and on one line."""
    text = name + value
    return (
        name.lower() not in _FRAMING and name.isascii() and not any(ord(c) < 32 and c != "\t" for c in text)
    )


def _internal_errors(payloads: Sequence[Payload]) -> list[Reply]:
    reply = error_reply(500, "Internal Server Error")
    return [reply] * len(payloads)


def _log_failure(future: Future[None]) -> None:
    err = future.exception()
    if err is not None and not isinstance(err, (BrokenPipeError, ConnectionError)):
        logger.error("an answer could not be sent: %r", err)
        raise BentoMLException("the channel to the front is broken") from err
