"""What somebody who records batches is told; the dispatcher works the same without one."""

from __future__ import annotations

from typing import Protocol

from .link import Batch


class BatchObserver(Protocol):
    """Called on the event loop, once a batch each; `now` is the dispatcher's clock."""

    def batch_sent(self, batch: Batch) -> None:
        """A worker was given this batch."""

    def batch_done(self, batch: Batch, times: tuple[float, float, float], now: float) -> None:
        """Its answers left; `times` are the worker's seconds to decode, call and encode."""

    def batch_lost(self, batch: Batch, now: float) -> None:
        """The worker died with it."""
