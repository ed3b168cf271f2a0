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
from .recycling import RETRY_AFTER_S, STOP_HOOKS_S, WearLimits
from .slab import Slab
from .slot import GONE, READY, STARTING, STOPPED, Child, Slot
from .template import Template

logger = logging.getLogger("bentoml.server")

SILENCE_S = 5.0
STABLE_AFTER_S = 10.0
LONGEST_BACKOFF_S = 30.0
GIVE_UP_AFTER = 10
FAST_RESTARTS = 60
TRANSIENT_LOADS = 5  # failed loads in a row of a service that could be loaded before; requests wait


class Pool(Protocol):
    """What the supervisor tells the dispatcher."""

    def batch_done(self, link: Any, answers: Any) -> None: ...
    def add_link(self, link: Any) -> None: ...
    def remove_link(self, link: Any) -> None: ...
    def link_lost(self, link: Any) -> None: ...


class Supervisor:
    """The workers of one generation.

    Args:
        config: orders for each worker; its index is filled in.
        count: number of workers.
        pool: is told which links are ready and which are lost.
        environment: variables of worker processes, by slot index.
        load_timeout_s: a worker that is not ready by then is replaced.
        limits: when a worker that works is replaced all the same.
        on_hello: called with what each worker reported about the service.
        on_unavailable: called with a reason when no worker is ready nor about to be.
        on_give_up: called with the last reason when workers keep dying.
        slab: memory shared with the workers, for large bodies.
        template: forks workers from a process that has loaded the service, where that is possible.
        patient: a service that was never loaded is tried again when its process dies in loading.
    """

    def __init__(
        self,
        config: WorkerConfig,
        count: int,
        pool: Pool,
        *,
        environment: Callable[[int], Mapping[str, str]],
        load_timeout_s: float,
        limits: WearLimits,
        on_hello: Callable[[dict[str, Any]], None],
        on_unavailable: Callable[[str], None],
        on_give_up: Callable[[str], None],
        slab: Slab | None = None,
        template: Template | None = None,
        patient: bool = True,
    ) -> None:
        self.slots = [Slot(i) for i in range(count)]
        self._config = config
        self._pool = pool
        self._environment = environment
        self._load_timeout_s = load_timeout_s
        self._limits = limits
        self._on_hello = on_hello
        self._on_unavailable = on_unavailable
        self._on_give_up = on_give_up
        self._slab = slab
        self._template = template
        self._patient = patient
        self._stopping = False
        self._ever_ready = False
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def links(self) -> list[WorkerLink]:
        """Of every worker that may hold requests."""
        children = (child for slot in self.slots for child in slot.children)
        return [child.link for child in children if child.link is not None]

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

    def _start(self, slot: Slot, *, successor: bool = False) -> None:
        if successor:
            slot.awaits_successor = True
        else:
            slot.state, slot.started_at = STARTING, monotonic()
        task = self._loop.create_task(self._spawn(slot, successor))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _spawn(self, slot: Slot, successor: bool) -> None:
        try:
            started = await self._loop.run_in_executor(None, self._new_process, slot.index)
        except OSError as err:
            if self._stopping:
                return
            why = f"a worker process could not be started: {err}"
            if successor:
                self._no_successor(slot, why)
            else:
                self._ended(slot, why)
            return
        child = Child(started, monotonic())
        if self._stopping:
            child.process.kill()
            reap_later(started.process)
            started.sock.close()
            return
        if successor:
            slot.successor = child
        else:
            slot.child = child
        link = WorkerLink(
            self._pool,
            lambda kind, frame: self._message(slot, child, kind, frame),
            lambda: self._lost(slot, child),
            lambda why: self._kill(slot, child, why),
        )
        child.link = link
        await self._loop.create_connection(lambda: link, sock=started.sock)
        link.send_message(CONFIG, replace(self._config, index=slot.index).to_bytes())

    def _new_process(self, index: int) -> WorkerProcess:
        environment = self._environment(index)
        forked = self._template.fork(environment) if self._template is not None else None
        return spawn(environment, slab=self._slab) if forked is None else forked

    def _message(self, slot: Slot, child: Child, kind: int, frame: bytes) -> None:
        if kind == FAIL:
            child.reason = payload_of(frame).decode("utf-8", "replace")
            child.load_raised = True
        elif kind == HELLO and child.link is not None and not self._stopping:
            if child is slot.successor:
                self._take_over(slot, child)
            elif child is not slot.child:
                return  # retired before it was ready
            slot.state, slot.ready_at = READY, monotonic()
            self._ever_ready = True
            self._on_hello(json.loads(payload_of(frame)))
            self._pool.add_link(child.link)

    def _take_over(self, slot: Slot, child: Child) -> None:
        old, slot.child, slot.successor = slot.child, child, None
        slot.awaits_successor = False
        slot.recycled += 1
        if old is not None and old.link is not None:
            slot.retired.append(old)
            self._pool.remove_link(old.link)
            logger.info("Worker %d is now pid %d instead of %d.", slot.index, child.pid, old.pid)

    def _kill(self, slot: Slot, child: Child, why: str) -> None:
        if not child.reason:
            child.reason = why
            logger.error("Worker %d (pid %d) is being replaced: %s", slot.index, child.pid, why)
        child.process.kill()

    def _lost(self, slot: Slot, child: Child) -> None:
        link, child.link = child.link, None
        if link is not None:
            self._pool.link_lost(link)
        reason = child.reason or _exit_reason(child.process.exit_code())
        child.process.kill()  # a worker without its channel is of no use
        reap_later(child.process.process)
        if child in slot.retired:
            slot.retired.remove(child)
        elif child is slot.successor:
            slot.successor = None
            self._no_successor(slot, reason)
        elif child is slot.child:
            slot.child = None
            if not self._stopping:
                self._ended(slot, reason, load_raised=child.load_raised)

    def _no_successor(self, slot: Slot, reason: str) -> None:
        slot.awaits_successor = False
        slot.recycle_after = monotonic() + RETRY_AFTER_S
        if not self._stopping:
            logger.error("No replacement for worker %d, which goes on: %s", slot.index, reason)

    def _ended(self, slot: Slot, reason: str, *, load_raised: bool = False) -> None:
        was_ready = slot.state == READY
        stable = was_ready and monotonic() - slot.ready_at > STABLE_AFTER_S
        slot.failures = 1 if stable else slot.failures + 1
        slot.state = GONE
        slot.restarts += 1
        slot.failed_loads = 0 if was_ready else slot.failed_loads + 1
        transient = self._ever_ready and slot.failed_loads <= TRANSIENT_LOADS
        delay = _backoff_s(slot.failures - FAST_RESTARTS if transient else slot.failed_loads)
        if was_ready:
            logger.error("Worker %d ended: %s. Starting it again.", slot.index, reason)
        else:
            logger.error("Worker %d could not load the service: %s", slot.index, reason)
        if self._hopeless(slot, reason, load_raised):
            return
        if not self.ready_count and not transient:
            self._on_unavailable("no worker could load the service; see the server's log")
        if delay:
            logger.info("Worker %d will be started again in %g s.", slot.index, delay)
        self._loop.call_later(delay, self._restart, slot)

    def _hopeless(self, slot: Slot, reason: str, load_raised: bool) -> bool:
        first_failed = not self._ever_ready and (load_raised or not self._patient)
        if first_failed or slot.failed_loads >= GIVE_UP_AFTER:
            slot.state = STOPPED
            if not self.ready_count:
                self._on_give_up(reason)
            return True
        return False

    def _restart(self, slot: Slot) -> None:
        if not self._stopping and slot.state == GONE:
            self._start(slot)

    def watch(self) -> None:
        """Replace workers that load for too long, stopped without dying, or are worn out. Periodic."""
        now = monotonic()
        for slot in self.slots:
            for child in slot.children:
                self._watch(slot, child, now)
        if not self._stopping and not any(slot.awaits_successor for slot in self.slots):
            self._recycle_one(now)

    def _watch(self, slot: Slot, child: Child, now: float) -> None:
        link = child.link
        if link is None:
            return
        if child.process.process.poll() is not None:  # a process it forked holds the channel open
            if child.seen_dead:
                link.close()
            child.seen_dead = True  # its last frames are read first
            return
        loads = child is slot.successor or (child is slot.child and slot.state == STARTING)
        if loads and now - child.started_at > self._load_timeout_s:
            self._kill(slot, child, f"it was not ready after {self._load_timeout_s:g} s")
        elif now - link.last_beat > SILENCE_S and ((not loads and not link.batches) or is_stopped(child.pid)):
            # a long call, or loading, may hold the interpreter; a stopped process is lost
            self._kill(slot, child, f"no sign of life for {SILENCE_S:g} s")
        elif child in slot.retired and not link.batches:
            if not child.stop_sent_at:
                child.stop_sent_at = now
                link.send_message(STOP)
            elif now - child.stop_sent_at > STOP_HOOKS_S:
                child.process.kill()

    def _recycle_one(self, now: float) -> None:
        """Start the successor of one worn-out worker; one at a time, for the memory they need."""
        for slot in self.slots:
            why = self._limits.worn_out(slot) if now >= slot.recycle_after else None
            if why is not None:
                logger.info("Worker %d gets a successor: %s.", slot.index, why)
                self._start(slot, successor=True)
                return

    def excuse(self, seconds: float) -> None:
        """The front itself did not run for this long; no worker is to blame for its silence."""
        for slot in self.slots:
            for child in slot.children:
                child.started_at += seconds
                if child.link is not None:
                    child.link.last_beat += seconds

    async def stop(self, timeout_s: float) -> None:
        """Let idle workers run their stop hooks, then end what is left."""
        self._stopping = True
        for link in self.links:
            self._pool.remove_link(link)
            link.send_message(STOP)
        end = self._loop.time() + timeout_s
        while self._loop.time() < end and any(slot.children for slot in self.slots):
            await asyncio.sleep(0.02)
        for slot in self.slots:
            for child in slot.children:
                child.process.kill()
            slot.state = STOPPED
        if self._template is not None:
            self._template.close()

    def table(self) -> list[dict[str, Any]]:
        """One row a worker, for pages and metrics."""
        return [
            {
                "index": slot.index,
                "pid": slot.child.pid if slot.child else None,
                "state": slot.state,
                "restarts": slot.restarts,
                "recycled": slot.recycled,
                "batches": len(slot.child.link.batches) if slot.child and slot.child.link else 0,
            }
            for slot in self.slots
        ]


def _backoff_s(failures: int) -> float:
    """0, 1, 2, 4, … seconds after 0 (or fewer), 1, 2, 3, … failures that count."""
    return 0.0 if failures <= 0 else min(LONGEST_BACKOFF_S, 2.0 ** min(failures - 1, 10))


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "it closed its channel"
    if code < 0:
        return f"exit by signal {-code}"
    return f"exit code {code}"
