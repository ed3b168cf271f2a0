"""Ends streams on which nothing moves any more, so that a silent client holds no thread for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

_LOOK_EVERY_S = 0.5


class StallWatch:
    """Cancels calls that received nothing, or got rid of nothing, for `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._calls: dict[int, tuple[Any, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="yatai-stalls", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def watch(self, messages: Iterable[bytes], context: Any) -> Iterator[bytes]:
        """The messages of a stream, as long as they keep coming."""
        key = id(context)
        self._note(key, context)
        try:
            for message in messages:
                self._calls.pop(key, None)  # the time that the server itself takes does not count
                yield message
                self._note(key, context)
        finally:
            self._calls.pop(key, None)

    def watch_sending(self, answers: Iterable[bytes], context: Any) -> Iterator[bytes]:
        """The answers of a stream, as long as they are taken."""
        key = id(context)
        try:
            for answer in answers:
                self._note(key, context)
                yield answer
                self._calls.pop(key, None)
        finally:
            self._calls.pop(key, None)

    def _note(self, key: int, context: Any) -> None:
        self._calls[key] = (context, time.monotonic())

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            oldest = time.monotonic() - self._limit_s
            for context, since in list(self._calls.values()):
                if since < oldest:
                    context.cancel()
