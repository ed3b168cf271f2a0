"""One loaded version of a service: its queues, its dispatcher and its workers.

The front points its routes at a generation. Replacing it (a new version, edited code) means
starting another one and pointing the routes there once it is ready; the old one finishes what it
holds and ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from bentoml.batching.dispatcher import Dispatcher
from bentoml.batching.queue import ApiQueue
from bentoml.bundle.descriptor import ApiDescriptor, BundleDescriptor
from bentoml.exceptions import BentoMLException
from bentoml.settings import Settings
from bentoml.workers.config import WorkerConfig
from bentoml.workers.cores import thread_environment
from bentoml.workers.devices import device_environment
from bentoml.workers.recycling import WearLimits
from bentoml.workers.slab import Slab
from bentoml.workers.supervisor import Supervisor
from bentoml.workers.template import Template, is_supported

from .answers import AnswerHeads
from .hub import Route
from .tracing import BatchTracer, Tracer

logger = logging.getLogger("bentoml.server")

SWEEP_S = 0.05
WATCH_EVERY = 5
PAUSED_S = 1.0  # the front stood still for so long (a suspended machine, a debugger)
WARMUP_BATCH = 32
DEFAULT_METHODS = ("POST", "GET")


class Generation:
    """Serves one bundle with `settings.server.workers` processes.

    Args:
        number: counts generations of this front, from 0.
        environment: variables for the workers (metrics directory and the like).
        on_give_up: called when workers keep dying and none is left.
        slab: memory shared with the workers, for large bodies.
        tracer: makes spans, None when tracing is off.
    """

    def __init__(
        self,
        number: int,
        path: Path,
        descriptor: BundleDescriptor,
        settings: Settings,
        heads: AnswerHeads,
        *,
        environment: dict[str, str],
        on_give_up: Callable[[str], None],
        slab: Slab | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.number = number
        self.path = path
        self.descriptor = descriptor
        self.hello: dict[str, Any] = {}
        self.ready = asyncio.Event()
        self.failed: str | None = None
        self.settings = settings
        self._on_give_up = on_give_up
        self.queues = [_queue(i, api, settings) for i, api in enumerate(descriptor.apis)]
        self._methods = {api.route: api.http_methods or DEFAULT_METHODS for api in descriptor.apis}
        loop = asyncio.get_running_loop()
        self.dispatcher = Dispatcher(
            self.queues,
            loop.call_soon,
            loop.call_later,
            heads.of_worker,
            heads.of_error,
            observer=BatchTracer(tracer, str(descriptor.tag)) if tracer is not None else None,
        )
        workers = settings.server.workers
        variables = {**thread_environment(workers), **environment}
        config = _worker_config(number, path, descriptor, settings)
        self.supervisor = Supervisor(
            config,
            workers,
            self.dispatcher,
            environment=lambda index: {
                **variables,
                **device_environment(settings.server.devices, index),
                "BENTOML_WORKER_INDEX": str(index),
            },
            load_timeout_s=settings.server.load_timeout_s,
            limits=WearLimits(settings.server.worker_max_requests, settings.server.worker_max_memory_mib),
            on_hello=self._take_hello,
            on_unavailable=self.dispatcher.close,
            on_give_up=self._give_up,
            slab=slab,
            template=_template(config, variables, settings, slab),
            patient=number == 0,  # a new version that cannot be loaded must not hold up the next one
        )
        self._sweeps = 0
        self._swept_at = monotonic()
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the workers and the periodic checks."""
        self.supervisor.start()
        self._sweep()

    async def wait_ready(self) -> None:
        """Until the first worker is ready. Raises `BentoMLException` with the reason if none can be."""
        await self.ready.wait()
        if self.failed is not None:
            raise BentoMLException(self.failed)

    def routes(self) -> dict[bytes, Route]:
        """Prediction routes by request target."""
        found = {}
        tag = str(self.descriptor.tag)
        for queue, api in zip(self.queues, self.descriptor.apis, strict=True):
            methods = frozenset(m.encode() for m in self._methods[queue.route])
            route = Route(queue, self.dispatcher, methods, api.name, tag)
            target = f"/{queue.route}".encode()
            found[target] = route
            if self.settings.server.prefix:  # a proxy may or may not cut it off
                found[self.settings.server.prefix.rstrip("/").encode() + target] = route
        return found

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is queued or running. False when the time was not enough."""
        end = self._loop.time() + timeout_s
        while self.dispatcher.in_progress and self._loop.time() < end:
            await asyncio.sleep(0.01)
        return not self.dispatcher.in_progress

    async def stop(self, why: str, timeout_s: float = 5.0) -> None:
        """Answer what is left with 503 and end the workers."""
        self.dispatcher.close(why)
        self.dispatcher.abandon(why)
        await self.supervisor.stop(timeout_s)
        if self._timer is not None:
            self._timer.cancel()

    def _sweep(self) -> None:
        now = monotonic()
        behind_s = now - self._swept_at - SWEEP_S
        self._swept_at = now
        if behind_s > PAUSED_S:  # answers and beats of that time are still to be read
            logger.warning("The server did not run for %.1f s.", behind_s)
            self.dispatcher.excuse(behind_s, self.supervisor.links)
            self.supervisor.excuse(behind_s)
        self.dispatcher.sweep(self.supervisor.links)
        self._sweeps += 1
        if self._sweeps % WATCH_EVERY == 0:
            self.supervisor.watch()
        self._timer = self._loop.call_later(SWEEP_S, self._sweep)

    def _take_hello(self, hello: dict[str, Any]) -> None:
        self.hello = hello
        for queue, api in zip(self.queues, hello["apis"], strict=True):
            queue.slots = int(api["slots"])
            queue.own_lane = queue.slots > 1
            queue.idempotent = bool(api["idempotent"])
            if api["timeout_s"]:
                queue.timeout_s = float(api["timeout_s"])
            self._methods[queue.route] = tuple(api["methods"])
            queue.model.prime(api["warmup"], monotonic())
        self.ready.set()

    def _give_up(self, reason: str) -> None:
        self.failed = reason
        self.ready.set()
        self.dispatcher.close("the service could not be loaded")
        self._on_give_up(reason)


def _template(
    config: WorkerConfig, variables: dict[str, str], settings: Settings, slab: Slab | None
) -> Template | None:
    if not settings.server.preload:
        return None
    if not is_supported():
        logger.warning("Workers are not preloaded: that takes Linux 5.3 or newer.")
        return None
    return Template(config, variables, settings.server.load_timeout_s, slab)


def _queue(index: int, api: ApiDescriptor, settings: Settings) -> ApiQueue:
    server = settings.server
    cap = (server.max_batch_size or api.mb_max_batch_size) if api.batch else 1
    goal_ms = server.max_latency_ms or api.mb_max_latency
    return ApiQueue(
        api.route,
        index,
        cap=cap,
        goal_s=goal_ms / 1000 if api.batch else server.timeout_s,
        timeout_s=api.timeout_s or server.timeout_s,
        limit=server.queue_limit,
        classes=server.priority_classes,
        most_rows=(server.max_batch_rows or api.max_batch_rows) if api.batch else None,
    )


def _worker_config(number: int, path: Path, descriptor: BundleDescriptor, settings: Settings) -> WorkerConfig:
    log = settings.logging
    keep_log = log.prediction_enabled and log.file_enabled
    return WorkerConfig(
        bundle_path=str(path),
        routes=tuple(api.route for api in descriptor.apis),
        limits={**settings.limits.model_dump(), "max_body_bytes": settings.server.max_request_size},
        prediction_log=str(log.directory / "prediction.log") if keep_log else None,
        prediction_data=log.prediction_data,
        log_level=settings.log_level,
        log_console=log.console_enabled,
        log_file=str(log.directory / "active.log") if log.file_enabled else None,
        log_advanced=log.advanced_config if log.advanced_enabled else None,
        warmup_batch=min(WARMUP_BATCH, settings.server.max_batch_size or WARMUP_BATCH)
        if settings.server.warmup
        else 0,
        max_batch_rows=settings.server.max_batch_rows,
        niceness=settings.server.worker_niceness,
        keep_memory=settings.server.keep_memory and settings.server.worker_max_memory_mib is None,
        generation=number,
    )
