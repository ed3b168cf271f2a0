"""The open-loop generator's sockets: one HTTP request at a time on each, and a timer finer than 1 ms."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httptools

T = TypeVar("T")
CLOCK_MONOTONIC = 1
TIMER_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
TFD_ABSTIME = 1


@dataclass(frozen=True)
class Target:
    """Whom to ask what. `answer` None accepts any body; with `is_fragment` it is a part of each."""

    host: str
    port: int
    path: str
    content_type: str
    body: bytes
    answer: bytes | None = None
    is_fragment: bool = False

    @property
    def request(self) -> bytes:
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


class Connection(asyncio.Protocol):
    """A keep-alive connection.

    Args:
        on_answer: called with (connection, due, what was wrong or None) when an answer is complete.
        on_lost: called with (connection, whether an answer was due) when it closes.
    """

    def __init__(
        self,
        target: Target,
        on_answer: Callable[[Connection, float, str | None], None],
        on_lost: Callable[[Connection, bool], None],
    ) -> None:
        self._target = target
        self._request = target.request
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._due: float | None = None
        self._body: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, due: float) -> None:
        """Send the request that was due at this monotonic time."""
        assert self._transport is not None
        self._due = due
        self._transport.write(self._request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        due, self._due = self._due, None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        if not self._parser.should_keep_alive():
            self.close()
        if due is not None:
            self._on_answer(self, due, self._problem(self._parser.get_status_code(), body))

    def _problem(self, status: int, body: bytes) -> str | None:
        if status != 200:
            return f"status {status}"
        wanted = self._target.answer
        if wanted is None or body == wanted or (self._target.is_fragment and wanted in body):
            return None
        return "wrong answer"

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_lost(self, self._due is not None)


class _Spec(ctypes.Structure):
    _fields_ = [
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    ]


@contextlib.contextmanager
def timer(loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> Iterator[Callable[[float], None]]:
    """A function that arms one call of `wake` at a monotonic time.

    Event loops round timers up to a millisecond; on Linux a timer of the kernel is used instead.
    """
    if not sys.platform.startswith("linux"):
        yield lambda at: cast(None, loop.call_later(max(0.0, at - time.monotonic()), wake))
        return
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.timerfd_create(CLOCK_MONOTONIC, TIMER_FLAGS)
    if handle < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create failed")

    def arm(at: float) -> None:
        seconds, rest = divmod(max(at, 1e-6), 1.0)
        spec = _Spec(0, 0, int(seconds), int(rest * 1e9))
        libc.timerfd_settime(handle, TFD_ABSTIME, ctypes.byref(spec), None)

    def fired() -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(handle, 8)
        wake()

    loop.add_reader(handle, fired)
    try:
        yield arm
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on uvloop, where that exists."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
