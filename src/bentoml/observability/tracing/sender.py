"""Spans on their way to a collector: a bounded queue and a thread, so that a server never waits.

A collector that is slow or gone costs spans and one line in the log, nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from time import monotonic

from .spans import Exporter, ExportFailed, Span

logger = logging.getLogger("bentoml.tracing")

MOST_WAITING = 4096
MOST_AT_ONCE = 512
INTERVAL_S = 1.0
REPORT_EVERY_S = 60.0
ABORT_S = 0.5


class SpanSender:
    """Sends what is put into it, in batches, from a thread of its own.

    Args:
        most_waiting: spans over which new ones are dropped.
        interval_s: seconds after which a batch leaves that is not full.

    Attributes:
        sent: spans that the collector took.
        lost: spans that it did not take, or for which there was no room.
    """

    def __init__(
        self, exporter: Exporter, most_waiting: int = MOST_WAITING, interval_s: float = INTERVAL_S
    ) -> None:
        self.sent = 0
        self.lost = 0
        self._exporter = exporter
        self._most_waiting = most_waiting
        self._interval_s = interval_s
        self._waiting: deque[Span] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._aborted = False
        self._failing = False
        self._overflow = 0
        self._reported_at = float("-inf")
        self._thread: threading.Thread | None = None

    def put(self, span: Span) -> None:
        """Queue a span, or drop it when too many wait. Never blocks; for one thread."""
        waiting = self._waiting
        if len(waiting) >= self._most_waiting:
            self._overflow += 1
            return
        waiting.append(span)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="bentoml-spans", daemon=True)
            self._thread.start()
        if len(waiting) == MOST_AT_ONCE:
            self._wake.set()

    def close(self, timeout_s: float) -> bool:
        """Send what waits, for at most about `timeout_s`; False when something had to be given up.

        A collector that took nothing last time is not waited for.
        """
        given_up = self._give_up() if self._failing else 0
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                given_up += self._give_up() or 1
                self._thread.join(ABORT_S)
        if not self._aborted:
            self._exporter.close()
        if given_up:
            logger.warning("Stopping with spans that %s did not take.", self._exporter.name)
        return not given_up

    def _give_up(self) -> int:
        """Throw away what waits, and end a call of the exporter; how many there were."""
        count = len(self._waiting)
        self._waiting.clear()
        if not self._aborted:
            self._aborted = True
            self._exporter.close()
        return count

    def _take(self) -> list[Span]:
        spans: list[Span] = []
        with suppress(IndexError):  # thrown away meanwhile
            while len(spans) < MOST_AT_ONCE:
                spans.append(self._waiting.popleft())
        return spans

    def _run(self) -> None:
        while True:
            if not self._closing:
                self._wake.wait(self._interval_s)
                self._wake.clear()
            while self._waiting:
                self._send(self._take())
                if self._failing and not self._closing:
                    self._wake.wait(self._interval_s)  # a collector that is gone is not asked without a pause
                    self._wake.clear()
            if self._closing:
                return

    def _export(self, spans: list[Span]) -> None:
        try:
            self._exporter.export(spans)
        except ExportFailed:
            raise
        except Exception as err:  # a span that cannot be sent must not end the thread
            raise ExportFailed(f"{type(err).__name__}: {err}") from err

    def _send(self, spans: list[Span]) -> None:
        overflow, self._overflow = self._overflow, 0
        self.lost += overflow
        try:
            self._export(spans)
        except ExportFailed as err:
            self.lost += len(spans)
            if not self._failing:
                self._failing = True
                logger.warning(
                    "Cannot send spans to %s: %s. They are lost until it works.", self._exporter.name, err
                )
            return
        self.sent += len(spans)
        if self._failing:
            self._failing = False
            logger.warning("%s takes spans again; %d were lost so far.", self._exporter.name, self.lost)
        elif overflow and monotonic() - self._reported_at > REPORT_EVERY_S:
            self._reported_at = monotonic()
            logger.warning(
                "%s is too slow for the spans of this server; %d were lost so far.",
                self._exporter.name,
                self.lost,
            )
