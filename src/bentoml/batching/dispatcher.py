"""Which worker gets which requests, and when.

Everything runs on the event loop of the front, without a task or a future per request:

    submit(request)      admission, queue, arm the tick
    _tick()              once per loop iteration, after all readable sockets were read: feed idle workers
    batch_done(answers)  learn; give the worker its next batch FIRST; then write the answers

An idle worker takes what waits, oldest first. The batch size is therefore the fixed point of the
load and no window is waited for; see `cohort` for the one exception.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from time import monotonic
from typing import Any

from bentoml.types import error_reply

from .cut import note_drops, plan_cut, steady_size
from .deadlines import late_in_batch, late_in_queue
from .fairness import charge, expected_s, join, settle
from .link import Answered, Batch, Link
from .observer import BatchObserver
from .policy import Refusal, admit, retry_after, safe_live, too_late
from .queue import DONE, SENT, ApiQueue, Request
from .spacing import apart_until, keeps_apart

logger = logging.getLogger("bentoml.server")

MAX_BATCH = 60_000
MAX_TRIES = 2
SPIN_BELOW_S = 0.0002  # the loop's timers are coarser than this


class Dispatcher:
    """The queues of a service and the workers that empty them.

    Args:
        queues: one per API, in the order of their indexes.
        call_soon: the event loop's, to run the tick once after the current readiness events.
        make_head: turns the head of an answer (u16 status and header lines, or what
            `error_head` returns) into what sinks write.
        clock: monotonic seconds.
        observer: told about every batch.
    """

    def __init__(
        self,
        queues: Sequence[ApiQueue],
        call_soon: Callable[[Callable[[], None]], Any],
        call_later: Callable[[float, Callable[[], None]], Any],
        make_head: Callable[[bytes], Any],
        error_head: Callable[[int, int | None], Any],
        clock: Callable[[], float] = monotonic,
        observer: BatchObserver | None = None,
    ) -> None:
        self.queues = list(queues)
        self.links: list[Link] = []
        self.unavailable: str | None = "the model is not loaded yet"
        self.clock = clock
        self._call_soon = call_soon
        self._call_later = call_later
        self._make_head = make_head
        self._error_head = error_head
        self._observer = observer
        self._armed = False
        self._timer_armed = False
        self._batch_ids = 0

    # requests

    def submit(self, request: Request) -> None:
        """Queue a request, or answer it at once with why it cannot be served."""
        queue = request.queue
        queue.stats.in_progress += 1
        if self.unavailable is not None:
            self._refuse(request, Refusal(503, "no_worker", f"Service Unavailable: {self.unavailable}", 1))
            return
        if queue.live >= queue.safe_live or request.goal < request.start + queue.goal_s:
            refusal = admit(queue, request.goal, self._free_at(queue), self.clock())
            if refusal is not None and not self._make_room(request):
                self._refuse(request, refusal)
                return
        if not queue.live and len(self.queues) > 1:
            join(queue, self.queues)
        queue.append(request)
        if not self._armed:
            self._armed = True
            self._call_soon(self._tick)

    def forget(self, request: Request) -> None:
        """The client of this request is gone; its item is not run if it was not cut yet."""
        request.queue.forget(request)

    @property
    def in_progress(self) -> int:
        return sum(queue.stats.in_progress for queue in self.queues)

    def all_stuck(self) -> bool:
        """Whether every worker holds a batch whose deadlines have all passed."""
        now = self.clock()
        busy = [link.busy for link in self.links]
        return bool(busy) and all(b is not None and b.sent_at + b.queue.timeout_s < now for b in busy)

    # workers

    def add_link(self, link: Link) -> None:
        self.links.append(link)
        self.unavailable = None
        self._refresh_limits()
        self.arm()

    def remove_link(self, link: Link) -> None:
        """Stop giving work to a worker; what it holds may still be answered."""
        if link in self.links:
            self.links.remove(link)
            self._refresh_limits()

    def link_lost(self, link: Link) -> None:
        """A worker died: requests that may run again go back to the head, the others get their 503."""
        self.remove_link(link)
        for batch in list(link.batches.values()):
            if self._observer is not None:
                self._observer.batch_lost(batch, self.clock())
            again: list[Request] = []
            for request in batch.requests:
                if request.state != SENT:
                    continue
                request.tries += 1
                if request.tries >= MAX_TRIES:
                    batch.queue.stats.failed_by("WorkerDied")
                    self.fail(request, 500, "The worker process died while it ran this request, twice")
                elif batch.queue.idempotent:
                    again.append(request)
                else:
                    batch.queue.stats.failed_by("WorkerDied")
                    self.fail(request, 503, "Service Unavailable: the worker process died", retry_after_s=1)
            batch.queue.put_back(again)
        link.batches.clear()
        link.busy = None
        self.arm()

    def close(self, why: str) -> None:
        """Refuse from now on, and answer everything that waits, with 503."""
        self.unavailable = why
        for queue in self.queues:
            for request in queue.take(queue.live):
                self.fail(request, 503, f"Service Unavailable: {why}", retry_after_s=1)

    def abandon(self, why: str) -> None:
        """Answer what workers still hold with 503; whatever they return later is thrown away."""
        for link in self.links:
            for batch in link.batches.values():
                for request in batch.requests:
                    self.fail(request, 503, f"Service Unavailable: {why}", retry_after_s=1)

    def batch_done(self, link: Link, answers: Answered) -> None:
        """Take the answers of a batch: next frame first, then its answers, then learn from it."""
        batch = link.batches.pop(answers.batch, None)
        if batch is None:
            return
        now = self.clock()
        if link.busy is batch:
            link.busy = None
        queue, requests = batch.queue, batch.requests
        total_s = now - batch.sent_at
        decode_s, call_s, encode_s = answers.times
        if len(self.links) == 1 and not queue.own_lane:
            fixed_s = queue.model.a + queue.model.gap_s
            queue.cohort.batch_done(len(requests), queue.arrivals, queue.live, fixed_s, now)
        keen = not queue.model.trusted
        if keen:  # the next cut can use what this batch taught
            self._learn(queue, len(requests), total_s, decode_s + call_s + encode_s, now)
        self._tick()
        stats = queue.stats
        if queue.rows is not None:
            queue.rows.note((request.body for request in requests), answers.rows)
        stats.decode_s += decode_s
        stats.call_s += call_s
        stats.encode_s += encode_s
        if len(answers.bodies) != len(requests):
            for request in requests:
                self.fail(request, 500, "The worker returned a batch of another size. This is a bug.")
        else:
            self._answer(requests, answers, now)
        if self._observer is not None:
            self._observer.batch_done(batch, answers.times, now)
        queue.answering_s += 0.1 * (self.clock() - now - queue.answering_s)
        settle(batch, total_s)
        if not keen and queue.model.wants(now):
            self._learn(queue, len(requests), total_s, decode_s + call_s + encode_s, now)

    # inside

    def _learn(self, queue: ApiQueue, size: int, total_s: float, worker_s: float, now: float) -> None:
        queue.model.observe(size, total_s, worker_s, now)
        self._refresh(queue)

    def _refresh(self, queue: ApiQueue) -> None:
        queue.steady = steady_size(queue, len(self.links))
        queue.safe_live = safe_live(queue, len(self.links))

    def _answer(self, requests: list[Request], answers: Answered, now: float) -> None:
        heads = [self._make_head(raw) for raw in answers.heads]
        stats = requests[0].queue.stats
        starts: list[list[float]] = [[] for _ in heads]
        for request, body, which in zip(requests, answers.bodies, answers.indexes or repeat(0), strict=False):
            if request.state != SENT:
                continue
            request.state = DONE
            stats.in_progress -= 1
            starts[which].append(request.start)
            request.sink.answer(request, heads[which], body)
        for head, those in zip(heads, starts, strict=True):
            stats.of_status(head.status).observe_since(those, now)

    def fail(self, request: Request, status: int, message: str, retry_after_s: int | None = None) -> None:
        """Answer a request that is in no queue with an error."""
        if request.state == DONE:
            return
        request.state = DONE
        stats = request.queue.stats
        stats.in_progress -= 1
        stats.of_status(status).observe(self.clock() - request.start)
        request.sink.answer(
            request, self._error_head(status, retry_after_s), error_reply(status, message).body
        )

    def _make_room(self, request: Request) -> bool:
        """Let the youngest request of a lower class go instead of this one."""
        victim = request.queue.evict_below(request.priority)
        if victim is None:
            return False
        message = "Too Many Requests: requests of a higher priority took the place of this one"
        self._refuse(victim, Refusal(429, "displaced", message, retry_after(request.queue, self.clock())))
        return True

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        refused = request.queue.stats.refused
        refused[refusal.reason] = refused.get(refusal.reason, 0) + 1
        self.fail(request, refusal.status, refusal.message, refusal.retry_after_s)

    def arm(self) -> None:
        """Make sure a tick follows."""
        if not self._armed:
            self._armed = True
            self._call_soon(self._tick)

    def _tick(self) -> None:
        self._armed = False
        now = self.clock()
        for queue in self.queues:
            queue.cohort.arrived(queue.arrivals, now)
        while True:
            chosen = self._pick(now)
            if chosen is None:
                return
            queue, link = chosen
            self._cut(queue, link, now)

    def _pick(self, now: float) -> tuple[ApiQueue, Link] | None:
        """The backlogged API with the least service so far, and a worker with room for it."""
        best: ApiQueue | None = None
        best_link: Link | None = None
        for queue in self.queues:
            if not queue.live or (best is not None and queue.virtual_time >= best.virtual_time):
                continue
            link = self._free_link(queue)
            if link is None or self._is_held(queue, now):
                continue
            best, best_link = queue, link
        if best is None or best_link is None:
            return None
        return best, best_link

    def _is_held(self, queue: ApiQueue, now: float) -> bool:
        """Whether an idle worker waits: for returning clients, or to stay out of step with the others."""
        if len(self.links) == 1:
            if not queue.cohort.holds(queue.arrivals, now):
                return False
            until = queue.cohort.until
        elif queue.apart_until > now and keeps_apart(queue, self._idle()):
            until = queue.apart_until
        else:
            return False
        if not self._timer_armed:
            self._timer_armed = True
            delay = until - now
            if delay < SPIN_BELOW_S:
                self._call_soon(self._timer)
            else:
                self._call_later(max(delay, 0.001), self._timer)
        return True

    def _timer(self) -> None:
        self._timer_armed = False
        self._tick()

    def _free_link(self, queue: ApiQueue) -> Link | None:
        if queue.own_lane:
            free = [link for link in self.links if link.load_of(queue.index) < queue.slots]
            return min(free, key=lambda link: link.load_of(queue.index), default=None)
        for link in self.links:
            if link.busy is None:
                return link
        return None

    def _cut(self, queue: ApiQueue, link: Link, now: float) -> None:
        for request in queue.take_expired(now):
            self._expire(request)
        head = queue.head(now)
        if head is None:
            return
        idle = self._idle()
        drop, size = (0, 1) if head.tries else plan_cut(queue, head, idle, now, lambda: self._free_at(queue))
        dropped = queue.take(drop, head.priority)
        note_drops(queue, drop)
        if queue.rows is not None:
            size = queue.rows.fitting((r.body for r in queue.in_order(head.priority)), size)
        late: list[Request] = []
        requests = queue.take(min(MAX_BATCH, size), head.priority, now, late)
        if requests:
            self._send(queue, link, requests, now)
        for request in dropped:
            self._refuse(request, too_late(queue, now))
        for request in late:
            self._expire(request)

    def _send(self, queue: ApiQueue, link: Link, requests: list[Request], now: float) -> None:
        """Hand a batch to a worker."""
        self._batch_ids = (self._batch_ids + 1) & 0xFFFFFFFF
        batch = Batch(self._batch_ids, queue, requests, link, now)
        link.batches[batch.id] = batch
        if not queue.own_lane:
            link.busy = batch
        charge(batch, self.queues)
        queue.apart_until = apart_until(queue, len(requests), len(self.links), now)
        queue.stats.batch_size.observe(len(requests))
        queue.stats.queue_wait.observe(now - requests[0].start)
        table: dict[bytes, int] = {}
        indexes = [table.setdefault(r.head, len(table)) for r in requests]
        link.send_call(
            queue.index,
            batch.id,
            [r.body for r in requests],
            [r.id for r in requests],
            list(table),
            indexes if len(table) > 1 else None,
        )
        if self._observer is not None:
            self._observer.batch_sent(batch)

    def _idle(self) -> int:
        return sum(link.busy is None for link in self.links)

    def _free_at(self, queue: ApiQueue) -> list[float]:
        now = self.clock()
        if queue.own_lane:
            return [now] * len(self.links)
        busy = (link.busy for link in self.links)
        return [now if batch is None else max(now, batch.sent_at + expected_s(batch)) for batch in busy]

    def _refresh_limits(self) -> None:
        for queue in self.queues:
            self._refresh(queue)

    # deadlines

    def sweep(self, every_link: Iterable[Link]) -> None:
        """Answer what is past its deadline and end workers that hold a batch for too long.

        Called every few tens of milliseconds with all workers, those that get no more work included.
        """
        now = self.clock()
        for queue in self.queues:
            for request in late_in_queue(queue, now):
                self._expire(request)
        for link in every_link:
            for batch in list(link.batches.values()):
                for request in late_in_batch(batch, now):
                    self._expire(request)
                if batch.kill_at <= now:
                    held = batch.queue
                    link.kill(f"no answer from API '{held.route}' within its timeout of {held.timeout_s:g} s")
                    break

    def excuse(self, seconds: float, every_link: Iterable[Link]) -> None:
        """The front itself did not run for this long; no worker is ended for what it could not say."""
        for link in every_link:
            for batch in link.batches.values():
                batch.kill_at += seconds

    def _expire(self, request: Request) -> None:
        request.queue.stats.failed_by("TimeoutError")
        self.fail(request, 504, f"Request timeout: no answer within {request.deadline - request.start:g} s")
