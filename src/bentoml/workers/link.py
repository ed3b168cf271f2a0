"""The front's end of one worker: frames out, frames in, on the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Protocol, cast

from .channel import BUFFER_BYTES, Assembler
from .frames import BEAT, REPLY, Answers, Frame, FrameError, kind_of, pack_call, pack_message, unpack_answers
from .slab import SharedBody

logger = logging.getLogger("bentoml.server")


class Consumer(Protocol):
    """Who takes finished batches: the dispatcher of the link's generation."""

    def batch_done(self, link: Any, answers: Answers) -> None: ...


class WorkerLink(asyncio.Protocol):
    """One worker as the dispatcher sees it.

    Attributes:
        busy: the batch on its main thread, None when that is idle.
        batches: every batch it holds, by id.
        last_beat: monotonic time of its last sign of life.
        requests: how many it was given so far.

    Args:
        on_message: called with (kind, frame) for everything that is no answer.
        on_lost: called once when the channel closes.
    """

    def __init__(
        self,
        consumer: Consumer,
        on_message: Callable[[int, bytes], None],
        on_lost: Callable[[], None],
        kill: Callable[[str], None],
    ) -> None:
        self.busy: Any = None
        self.batches: dict[int, Any] = {}
        self.last_beat = monotonic()
        self.requests = 0
        self.kill = kill
        self._consumer = consumer
        self._on_message = on_message
        self._on_lost = on_lost
        self._assembler = Assembler(self._frame)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._transport.set_write_buffer_limits(high=16 * BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        try:
            self._assembler.feed(data)
        except FrameError as err:
            self.kill(f"it sent bytes that are no frame: {err}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_lost()

    def _frame(self, frame: Frame) -> None:
        self.last_beat = monotonic()  # any frame counts: a call that keeps the GIL stops the beats too
        kind = kind_of(frame)
        if kind == REPLY:
            self._consumer.batch_done(self, unpack_answers(frame))
        elif kind != BEAT:
            self._on_message(kind, bytes(frame))

    def load_of(self, api: int) -> int:
        return sum(batch.queue.index == api for batch in self.batches.values())

    def send_call(
        self,
        api: int,
        batch: int,
        bodies: Sequence[bytes | SharedBody],
        ids: Sequence[bytes],
        heads: Sequence[bytes],
        indexes: Sequence[int] | None,
    ) -> None:
        if self._transport is None:
            return  # connection_lost follows and deals with the batch
        self.requests += len(bodies)
        self._transport.write(b"".join(pack_call(api, batch, bodies, ids, heads, indexes)))

    def send_message(self, kind: int, payload: bytes = b"") -> None:
        if self._transport is not None:
            self._transport.write(pack_message(kind, payload))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
