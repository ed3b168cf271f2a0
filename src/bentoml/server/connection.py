"""The answering half of a connection: answers leave in the order of their requests.

An answer is either a prediction's, which comes from the dispatcher, or belongs to a `Turn`: a
request on uvicorn's path (pages) or a ready refusal that ends the connection. The reading half is
`protocol`.
"""

from __future__ import annotations

import array
import asyncio
import sys
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from bentoml.batching.queue import DONE, Request
from bentoml.workers.slab import SharedBody

from . import departure
from .answers import AnswerHead
from .checks import Rejection
from .hub import Hub

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

IDLE, HEAD, BODY = range(3)
SPLIT_WRITE_BYTES = 1 << 16
MOST_PIPELINED = 64
LINGER_S = 2.0
MOST_REFUSED = 64
MOST_HELD_BYTES = 1 << 21
SLOW_BODY_WINDOW_S = 10
SLOW_BODY_BYTES = 1024


class Turn:
    """A place in the order of answers held by something else than a prediction.

    `cycle` is a request on uvicorn's path; without one it is a ready response that ends the connection.
    """

    __slots__ = ("app", "cycle", "data", "started")

    def __init__(self, cycle: RequestResponseCycle | None = None, app: Any = None, data: bytes = b"") -> None:
        self.cycle = cycle
        self.app = app
        self.data = data
        self.started = False


class _Pipeline:
    """Stands in for uvicorn's queue of pipelined cycles: they take their turn in ours instead."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def appendleft(self, item: tuple[RequestResponseCycle, Any]) -> None:
        self._connection.order.append(Turn(*item))

    def __bool__(self) -> bool:
        return False


class Connection(HttpToolsProtocol):
    """Writes answers in order and ends the connection when that is due.

    Attributes:
        order: requests whose answers are due, oldest first; answers are written in this order.
    """

    # uvicorn's fields are as many as a dict with shared keys takes; ours beside them would cost every
    # access a look-up, and every connection a table of its own.
    __slots__ = (
        "_chunks",
        "_closing",
        "_ended",
        "_finished",
        "_generic",
        "_have",
        "_held",
        "_mark",
        "_mark_second",
        "_phase",
        "_reading_paused",
        "_refused",
        "_said_close",
        "_shared",
        "_since",
        "_unsent",
        "_unsent_second",
        "_used",
        "hub",
        "order",
    )

    def __init__(
        self,
        hub: Hub,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.hub = hub
        self.order: list[Request | Turn] = []  # short, and smaller than a deque
        self.pipeline = _Pipeline(self)  # type: ignore[assignment]
        self._phase = IDLE
        self._since = hub.second
        self._mark = 0
        self._mark_second = hub.second
        self._unsent = 0
        self._unsent_second = hub.second
        self._have = 0
        self._chunks: list[bytes] = []
        self._shared: SharedBody | None = None
        self._generic = False
        self._held = b""
        self._closing = False
        self._finished = False
        self._refused = False
        self._ended = False
        self._said_close = False
        self._knows_interim = True
        self._used = False
        self._reading_paused = False

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        hub = self.hub
        if len(self.connections) - hub.refused > hub.max_connections:
            hub.refused += 1  # while it is told so, it takes nobody's place
            self._refused = True
            if hub.refused > MOST_REFUSED:
                transport.abort()
            else:
                self._reject(Rejection(503, "Service Unavailable: too many connections"))

    def connection_lost(self, exc: Exception | None) -> None:
        for item in self.order:
            if isinstance(item, Request) and item.state != DONE:
                item.queue.forget(item)
                if self.hub.tracer is not None:
                    self.hub.tracer.left(item)
        self.order.clear()
        self._held = b""
        self._shared = None
        if self._refused:
            self.hub.refused -= 1
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client may close its side and still wait for answers."""
        if self.order and self._phase == IDLE and self.scheme == "http" and not self._finished:
            self._ended = True
            if self._knows_interim and self._is_unanswered(self.order[0]):
                departure.watch(self.transport, self.order, self.loop)
            return True
        return None

    def _is_unanswered(self, item: Request | Turn) -> bool:
        """Whether nothing of an answer is written yet."""
        return isinstance(item, Request) or (item.cycle is not None and not item.cycle.response_started)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._resume()

    def _pause(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self._reading_paused and len(self.order) < MOST_PIPELINED and not self.flow.write_paused:
            self._reading_paused = False
            if self._held:
                self.loop.call_soon(self._continue)
            elif not self.transport.is_closing():
                self.transport.resume_reading()

    def _hold(self, data: bytes) -> None:
        """Keep bytes for later; uvicorn's flow control may read on meanwhile, but not without end."""
        self._held = data
        self._pause()
        if len(data) > MOST_HELD_BYTES:
            self.transport.abort()

    def _continue(self) -> None:
        """Go on with bytes that were read while too many answers were due."""
        if self._reading_paused:
            return  # paused anew since this was scheduled; the next resume comes here again
        held, self._held = self._held, b""
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self.data_received(held)

    # answers

    def answer(self, request: Request, head: AnswerHead, body: bytes | memoryview) -> None:
        """Write the answer of a prediction, or keep it until those before it are written."""
        order = self.order
        if not order:
            return  # the connection is gone
        hub = self.hub
        prefix = head.prefix if head.stamp == hub.heads.stamp else hub.heads.prefix(head)
        close = b""
        if (hub.draining or self._ended) and self._is_last(request):
            close = b"connection: close\r\n"
            self._said_close = True
        size = len(body)
        start = b"%bx-request-id: %b\r\n%bcontent-length: %d\r\n\r\n" % (prefix, request.id, close, size)
        if order[0] is not request:
            request.tag = start + body
            return
        del order[0]
        if size < SPLIT_WRITE_BYTES:
            self.transport.write(start + body)
        else:
            self.transport.write(start)
            self.transport.write(body)
        if order or close or self._reading_paused:
            self._next_turns()

    def _is_last(self, request: Request) -> bool:
        """Whether nothing follows a request on a connection that is to end, read or not yet read."""
        if self._phase != IDLE or self.order[-1] is not request or self._held:
            return False
        return self._ended or not has_unread(self.transport)

    def _next_turns(self) -> None:
        """Write or start what has become due, and close after the last answer of a connection."""
        order = self.order
        while order:
            item = order[0]
            if isinstance(item, Turn):
                if item.cycle is None:
                    self.transport.write(item.data)
                    self._finish()
                elif not item.started:
                    self._start_turn(item)
                return
            if item.tag is None:
                break
            self.transport.write(item.tag)
            del order[0]
        if not order and (self._said_close or (self._ended and not self._finished)):
            self._finish()  # answers that were ready before the client closed its side did not say it
        elif self._reading_paused:
            self._resume()

    def _finish(self) -> None:
        """Everything due is written: close, giving the client the time to read it."""
        self._closing = self._finished = True
        transport = self.transport
        if transport.is_closing():
            return
        if transport.can_write_eof() and self.scheme == "http":
            transport.write_eof()
            self.loop.call_later(LINGER_S, transport.close)
            if self._reading_paused:
                self._reading_paused = False
                transport.resume_reading()
        else:
            transport.close()

    def _reject(self, rejection: Rejection) -> None:
        """Answer a request that is not worth reading on, then close."""
        self._closing = True
        self.hub.rejected[rejection.status] = self.hub.rejected.get(rejection.status, 0) + 1
        self._chunks = []
        self._shared = None
        body = rejection.message.encode()
        retry_after_s = 1 if rejection.status == 503 else None
        prefix = self.hub.heads.prefix(self.hub.heads.of_error(rejection.status, retry_after_s))
        data = b"%bconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (prefix, len(body), body)
        if self._phase == BODY and self._generic and self._has_begun_to_answer():
            data = b""
        self.order.append(Turn(data=data))
        if len(self.order) == 1:
            self._next_turns()

    def _has_begun_to_answer(self) -> bool:
        """End the request that is being read on uvicorn's path; whether a part of its answer is out."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:  # its head broke off before there was one
            return False
        begun = bool(cycle.response_started)
        if not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if self.order and isinstance(self.order[-1], Turn) and self.order[-1].cycle is cycle:
                self.order.pop()
        return begun

    # requests on uvicorn's path

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        turn = Turn(cycle, app)
        self.order.append(turn)
        if self.order[0] is turn:
            self._start_turn(turn)

    def _start_turn(self, turn: Turn) -> None:
        turn.started = True
        assert turn.cycle is not None
        if self.hub.draining and len(self.order) == 1:
            turn.cycle.keep_alive = False
        super()._start_asgi_task(turn.cycle, turn.app)

    def on_response_complete(self) -> None:
        if self.order and isinstance(self.order[0], Turn):
            del self.order[0]
        super().on_response_complete()
        if self._ended and not self.order and self._phase == IDLE:
            self._finish()
        elif not self.transport.is_closing():
            self._next_turns()

    # time

    def check_time(self) -> None:
        """Called once a second: end connections that are idle or too slow."""
        limits, now = self.hub.limits, self.hub.second
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_second = unsent, now
        elif unsent and now - self._unsent_second > limits.body_timeout_s:
            self.transport.abort()
        if self._closing or self.transport.is_closing():
            return
        waited = now - self._since
        if self._phase == HEAD:
            if waited > limits.header_timeout_s:
                self._reject(Rejection(408, "Request Timeout: the header fields took too long"))
        elif self._phase == BODY:
            self._check_body_pace(waited)
        elif self.order or unsent or not (self.cycle is None or self.cycle.response_complete):
            self._since = now
        elif waited > (limits.keep_alive_s if self._used else limits.header_timeout_s):
            self.transport.close()

    def _check_body_pace(self, waited: int) -> None:
        limits, now = self.hub.limits, self.hub.second
        slow = False
        if now - self._mark_second >= SLOW_BODY_WINDOW_S:
            slow = self._have - self._mark < SLOW_BODY_BYTES
            self._mark, self._mark_second = self._have, now
        if slow or waited > limits.body_timeout_s:
            self._reject(Rejection(408, "Request Timeout: the body took too long"))

    def shutdown(self) -> None:
        """Called when the server stops accepting: an idle connection is closed later, see `drain`."""

    @property
    def is_idle(self) -> bool:
        """No request is being read or answered."""
        return self._phase == IDLE and not self.order and not self._held


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether the system holds bytes of this connection that nobody has read yet."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - POSIX only
    import termios  # noqa: PLC0415

    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    count = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, count)
    except OSError:
        return False
    return count[0] > 0
