"""Keeps a fixed number of workers alive: starts, watches, replaces and ends them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic
from typing import Any, Protocol

from .config import WorkerConfig
from .frames import CONFIG, FAIL, HELLO, STOP, payload_of
from .link import WorkerLink
from .process import WorkerProcess, is_stopped, reap_later, spawn

logger = logging.getLogger("bentoml.server")

SILENCE_S = 5.0
STABLE_AFTER_S = 10.0
LONGEST_BACKOFF_S = 30.0
GIVE_UP_AFTER = 10
FAST_RESTARTS = 60
TRANSIENT_LOADS = 5  # failed loads in a row of a service that could be loaded before; requests wait
STARTING, READY, GONE, STOPPED = "starting", "ready", "restarting", "stopped"


class Pool(Protocol):
    """What the supervisor tells the dispatcher."""

    def batch_done(self, link: Any, answers: Any) -> None: ...
    def add_link(self, link: Any) -> None: ...
    def remove_link(self, link: Any) -> None: ...
    def link_lost(self, link: Any) -> None: ...


class Slot:
    """One place for a worker; the process in it is replaced when it dies."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.state = STARTING
        self.process: WorkerProcess | None = None
        self.link: WorkerLink | None = None
        self.started_at = 0.0
        self.ready_at = 0.0
        self.failures = 0
        self.failed_loads = 0
        self.restarts = 0
        self.reason = ""
        self.load_raised = False


class Supervisor:
    """The workers of one generation.

    Args:
        config: orders for each worker; its index is filled in.
        count: number of workers.
        pool: is told which links are ready and which are lost.
        environment: variables of worker processes, by slot index.
        load_timeout_s: a worker that is not ready by then is replaced.
        on_hello: called with what each worker reported about the service.
        on_unavailable: called with a reason when no worker is ready nor about to be.
        on_give_up: called with the last reason when workers keep dying.
    """

    def __init__(
        self,
        config: WorkerConfig,
        count: int,
        pool: Pool,
        *,
        environment: Callable[[int], Mapping[str, str]],
        load_timeout_s: float,
        on_hello: Callable[[dict[str, Any]], None],
        on_unavailable: Callable[[str], None],
        on_give_up: Callable[[str], None],
    ) -> None:
        self.slots = [Slot(i) for i in range(count)]
        self._config = config
        self._pool = pool
        self._environment = environment
        self._load_timeout_s = load_timeout_s
        self._on_hello = on_hello
        self._on_unavailable = on_unavailable
        self._on_give_up = on_give_up
        self._stopping = False
        self._ever_ready = False
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def links(self) -> list[WorkerLink]:
        return [slot.link for slot in self.slots if slot.link is not None]

    @property
    def ready_count(self) -> int:
        return sum(slot.state == READY for slot in self.slots)

    @property
    def restarts(self) -> int:
        return sum(slot.restarts for slot in self.slots)

    def start(self) -> None:
        """Start every worker; readiness is reported through the pool."""
        for slot in self.slots:
            self._start(slot)

    def _start(self, slot: Slot) -> None:
        task = self._loop.create_task(self._spawn(slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _spawn(self, slot: Slot) -> None:
        slot.state, slot.started_at = STARTING, monotonic()
        try:
            started = await self._loop.run_in_executor(None, spawn, self._environment(slot.index))
        except OSError as err:
            self._ended(slot, f"a worker process could not be started: {err}")
            return
        slot.process = started
        link = WorkerLink(
            self._pool,
            lambda kind, frame: self._message(slot, kind, frame),
            lambda: self._lost(slot, started),
            lambda why: self._kill(slot, started, why),
        )
        slot.link = link
        await self._loop.create_connection(lambda: link, sock=started.sock)
        link.send_message(CONFIG, replace(self._config, index=slot.index).to_bytes())

    def _message(self, slot: Slot, kind: int, frame: bytes) -> None:
        if kind == FAIL:
            slot.reason = payload_of(frame).decode("utf-8", "replace")
            slot.load_raised = True
        elif kind == HELLO and slot.link is not None and not self._stopping:
            slot.state, slot.ready_at = READY, monotonic()
            self._ever_ready = True
            self._on_hello(json.loads(payload_of(frame)))
            self._pool.add_link(slot.link)

    def _kill(self, slot: Slot, process: WorkerProcess, why: str) -> None:
        if slot.process is process:
            slot.reason = why
            logger.error("Worker %d (pid %d) is being replaced: %s", slot.index, process.pid, why)
        process.kill()

    def _lost(self, slot: Slot, process: WorkerProcess) -> None:
        process.kill()  # a worker without its channel is of no use
        reap_later(process.process)
        link, slot.link = slot.link, None
        slot.process = None
        if link is not None:
            self._pool.link_lost(link)
        code = process.process.poll()
        if not self._stopping:
            self._ended(slot, slot.reason or _exit_reason(code))

    def _ended(self, slot: Slot, reason: str) -> None:
        was_ready = slot.state == READY
        stable = was_ready and monotonic() - slot.ready_at > STABLE_AFTER_S
        slot.failures = 1 if stable else slot.failures + 1
        slot.state, slot.reason = GONE, ""
        slot.restarts += 1
        slot.failed_loads = 0 if was_ready else slot.failed_loads + 1
        transient = self._ever_ready and slot.failed_loads <= TRANSIENT_LOADS
        delay = _backoff_s(slot.failures - FAST_RESTARTS if transient else slot.failed_loads)
        if was_ready:
            logger.error("Worker %d ended: %s. Starting it again.", slot.index, reason)
        else:
            logger.error("Worker %d could not load the service: %s", slot.index, reason)
        if self._hopeless(slot, reason):
            return
        if not self.ready_count and not transient:
            self._on_unavailable("no worker could load the service; see the server's log")
        if delay:
            logger.info("Worker %d will be started again in %g s.", slot.index, delay)
        self._loop.call_later(delay, self._restart, slot)

    def _hopeless(self, slot: Slot, reason: str) -> bool:
        first_load_raised = slot.load_raised and not self._ever_ready
        slot.load_raised = False
        if first_load_raised or slot.failed_loads >= GIVE_UP_AFTER:
            slot.state = STOPPED
            if not self.ready_count:
                self._on_give_up(reason)
            return True
        return False

    def _restart(self, slot: Slot) -> None:
        if not self._stopping and slot.state == GONE:
            self._start(slot)

    def watch(self) -> None:
        """Replace workers that load for too long, or that stopped without dying. Called periodically."""
        now = monotonic()
        for slot in self.slots:
            if slot.process is None or slot.link is None:
                continue
            if slot.state == STARTING and now - slot.started_at > self._load_timeout_s:
                self._kill(slot, slot.process, f"it was not ready after {self._load_timeout_s:g} s")
            elif now - slot.link.last_beat > SILENCE_S and _should_beat(slot):
                self._kill(slot, slot.process, f"no sign of life for {SILENCE_S:g} s")

    async def stop(self, timeout_s: float) -> None:
        """Let idle workers run their stop hooks, then end what is left."""
        self._stopping = True
        for slot in self.slots:
            if slot.link is not None:
                self._pool.remove_link(slot.link)
                slot.link.send_message(STOP)
        end = self._loop.time() + timeout_s
        while self._loop.time() < end and any(slot.process for slot in self.slots):
            await asyncio.sleep(0.02)
        for slot in self.slots:
            if slot.process is not None:
                slot.process.kill()
            slot.state = STOPPED

    def table(self) -> list[dict[str, Any]]:
        """One row a worker, for pages and metrics."""
        return [
            {
                "index": slot.index,
                "pid": slot.process.pid if slot.process else None,
                "state": slot.state,
                "restarts": slot.restarts,
                "batches": len(slot.link.batches) if slot.link else 0,
            }
            for slot in self.slots
        ]


def _should_beat(slot: Slot) -> bool:
    """Whether silence is a fault: a long call may hold the interpreter, a stopped process is lost."""
    assert slot.process is not None and slot.link is not None
    idle = slot.state == READY and not slot.link.batches
    return idle or is_stopped(slot.process.pid)


def _backoff_s(failures: int) -> float:
    """0, 1, 2, 4, … seconds after 0 (or fewer), 1, 2, 3, … failures that count."""
    return 0.0 if failures <= 0 else min(LONGEST_BACKOFF_S, 2.0 ** min(failures - 1, 10))


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "it closed its channel"
    if code < 0:
        return f"exit by signal {-code}"
    return f"exit code {code}"
