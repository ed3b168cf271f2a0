"""One HTTP connection. Predictions leave uvicorn's generic path here; everything else stays on it.

httptools parses; this class decides. A request for a prediction route becomes one small record
that goes straight to the dispatcher: no scope, cycle, task, event or future. Any other request is
handed to uvicorn's own code and served by the Starlette application.

A head that was parsed and accepted before is recognised by its exact bytes (`Hub.memo`), which
skips the parser. Only whole heads at a message boundary take that road, so nothing can be read
differently from how the parser read it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from bentoml.batching.queue import DONE, Request

from .answers import AnswerHead
from .checks import Framing, Rejection, check_head, too_large
from .hub import Hub, KnownHead, Route

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

IDLE, HEAD, BODY = range(3)
END_OF_HEAD = b"\r\n\r\n"
SPLIT_WRITE_BYTES = 1 << 16
MOST_PIPELINED = 64
LINGER_S = 2.0
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

    def __init__(self, protocol: PredictionProtocol) -> None:
        self._protocol = protocol

    def appendleft(self, item: tuple[RequestResponseCycle, Any]) -> None:
        self._protocol.order.append(Turn(*item))

    def __bool__(self) -> bool:
        return False


class PredictionProtocol(HttpToolsProtocol):
    """A connection whose predictions go straight to the dispatcher.

    Attributes:
        order: requests whose answers are due, oldest first; answers are written in this order.
    """

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
        self.order: deque[Request | Turn] = deque()
        self.pipeline = _Pipeline(self)  # type: ignore[assignment]
        self._phase = IDLE
        self._since = hub.second
        self._mark = 0
        self._mark_second = hub.second
        self._unsent = 0
        self._boundary = True
        self._candidate: bytes | None = None
        self._known: KnownHead | None = None
        self._route: Route | None = None
        self._priority = 0
        self._chunks: list[bytes] = []
        self._have = 0
        self._chunk_count = 0
        self._head_bytes = 0
        self._closing = False
        self._ended = False
        self._said_close = False
        self._used = False
        self._reading_paused = False

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.hub.max_connections:
            self._reject(Rejection(503, "Service Unavailable: too many connections"))

    def connection_lost(self, exc: Exception | None) -> None:
        for item in self.order:
            if isinstance(item, Request) and item.state != DONE:
                item.queue.forget(item)
        self.order.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client may close its side and still wait for answers."""
        if self.order and self._phase == IDLE and self.scheme == "http":
            self._ended = True
            return True
        return None

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
            if not self.transport.is_closing():
                self.transport.resume_reading()

    # bytes in

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self._known is not None:
            data = self._more_of_known(self._known, data)
        memo = self.hub.memo
        while self._boundary and data:
            at = data.find(END_OF_HEAD)
            if at < 0:
                self._candidate = None
                break
            head = data[: at + 4]
            known = memo.get(head)
            if known is None:
                self._candidate = head
                break
            end = at + 4 + known.length
            if len(data) < end:
                self._begin_known(known, data[at + 4 :])
                return
            self._submit(known.route, known.raw, data[at + 4 : end], known.timeout_s, known.priority)
            if len(data) == end:
                return
            data = data[end:]
        if data and not self._closing:
            self._parse(data)

    def _begin_known(self, known: KnownHead, start: bytes) -> None:
        self._known = known
        self._chunks = [start]
        self._have = len(start)
        self._enter(BODY)

    def _more_of_known(self, known: KnownHead, data: bytes) -> bytes:
        """Add to the body of a known head; what is left over belongs to the next message."""
        missing = known.length - self._have
        part, rest = (data, b"") if len(data) <= missing else (data[:missing], data[missing:])
        self._chunks.append(part)
        self._have += len(part)
        if self._have == known.length:
            self._known = None
            body, self._chunks = b"".join(self._chunks), []
            self._enter(IDLE)
            self._submit(known.route, known.raw, body, known.timeout_s, known.priority)
        return rest

    def _parse(self, data: bytes) -> None:
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reject(Rejection(400, "this server does not switch protocols"))
        except httptools.HttpParserError:
            if not self._closing:
                self._reject(Rejection(400, "Invalid HTTP request received."))
        if self._phase == HEAD and not self._closing:
            limit = self.hub.limits.max_header_bytes + self.hub.limits.max_target_bytes
            if self._head_bytes > limit:
                self._reject(Rejection(431, f"the request head is over the limit of {limit} bytes"))

    # parser callbacks

    def on_message_begin(self) -> None:
        if self._closing:
            return
        self._boundary = False
        self._route = None
        self._chunk_count = 0
        self._head_bytes = 0
        self._enter(HEAD)
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._closing:
            return
        hub = self.hub
        checked = check_head(self.headers, self.parser.get_http_version(), self.url, hub.limits)
        if isinstance(checked, Rejection):
            self._reject(checked)
            return
        self._enter(BODY)
        method = self.parser.get_method()
        route = hub.routes.get(self.url.partition(b"?")[0])
        if route is None or method not in route.methods or (hub.cors and self._is_cross_origin()):
            self._begin_generic(checked)
            return
        self._route = route
        self._chunks, self._have = [], 0
        self._raw = b"%b\r\n%b" % (method, b"".join(b"%b: %b\r\n" % pair for pair in self.headers))
        limit_s = route.queue.timeout_s
        self._timeout_s = min(limit_s, checked.timeout_s or limit_s)
        self._priority = min(checked.priority, len(route.queue.lanes) - 1)
        keep_alive = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
        if not keep_alive:
            self._ended = True
        if checked.expects_continue and not self.order:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._candidate is not None and checked.cacheable and keep_alive and checked.length is not None:
            known = KnownHead(route, checked.length, self._raw, self._timeout_s, self._priority)
            start = b"%b %b HTTP/1.1\r\n" % (method, self.url)
            hub.remember(self._candidate, start, len(self.headers), known)
        self._candidate = None

    def _is_cross_origin(self) -> bool:
        """Answers to browsers of other origins carry more headers; the application adds them."""
        return any(name == b"origin" for name, _ in self.headers)

    def _begin_generic(self, framing: Framing) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self._used = True
        self.url = url
        self.headers.extend(headers)
        self.expect_100_continue = framing.expects_continue
        try:
            super().on_headers_complete()
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            self._reject(Rejection(400, "the request target is not a valid URL"))

    def on_chunk_header(self) -> None:
        self._chunk_count += 1
        if self._chunk_count > self.hub.limits.max_chunks and not self._closing:
            self._reject(Rejection(413, f"the body has more than {self.hub.limits.max_chunks} chunks"))

    def on_body(self, body: bytes) -> None:
        if self._closing:
            return
        self._have += len(body)
        if self._have > self.hub.limits.max_request_size:
            self._reject(Rejection(413, too_large(self.hub.limits)))
        elif self._route is None:
            super().on_body(body)
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        if self._closing:
            return
        self._boundary = True
        self._enter(IDLE)
        route = self._route
        if route is None:
            self._have = 0
            super().on_message_complete()
            return
        chunks, self._chunks = self._chunks, []
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._submit(route, self._raw, body, self._timeout_s, self._priority)

    def _enter(self, phase: int) -> None:
        self._phase = phase
        self._since = self._mark_second = self.hub.second
        self._mark = 0

    # predictions

    def _submit(self, route: Route, head: bytes, body: bytes, timeout_s: float, priority: int) -> None:
        now = monotonic()
        request = Request(self, route.queue, head, body, self.hub.ids.next(), now, now + timeout_s, priority)
        self.order.append(request)
        self._used = True
        self._since = self.hub.second
        if len(self.order) >= MOST_PIPELINED:
            self._pause()
        route.dispatcher.submit(request)

    def answer(self, request: Request, head: AnswerHead, body: bytes) -> None:
        """Write the answer of a prediction, or keep it until those before it are written."""
        order = self.order
        if not order:
            return  # the connection is gone
        hub = self.hub
        prefix = head.prefix if head.stamp == hub.heads.stamp else hub.heads.prefix(head)
        close = b""
        if hub.draining or (self._ended and self._phase == IDLE and order[-1] is request):
            close = b"connection: close\r\n"
            self._said_close = True
        start = b"%bx-request-id: %b\r\n%bcontent-length: %d\r\n\r\n" % (prefix, request.id, close, len(body))
        if order[0] is not request:
            request.tag = start + body
            return
        order.popleft()
        if len(body) < SPLIT_WRITE_BYTES:
            self.transport.write(start + body)
        else:
            self.transport.write(start)
            self.transport.write(body)
        if order or close or self._reading_paused:
            self._next_turns()

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
            order.popleft()
        if not order and self._said_close:
            self._finish()
        elif self._reading_paused:
            self._resume()

    def _finish(self) -> None:
        """Everything due is written: close, giving the client the time to read it."""
        self._closing = True
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
        body = rejection.message.encode()
        prefix = self.hub.heads.prefix(self.hub.heads.of_error(rejection.status))
        data = b"%bconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (prefix, len(body), body)
        if self._phase == BODY and self._route is None and self.order:
            self._abandon_cycle()
        self.order.append(Turn(data=data))
        if len(self.order) == 1:
            self._next_turns()

    def _abandon_cycle(self) -> None:
        """The request being read is on uvicorn's path: end it there, its answer is ours now."""
        turn = self.order[-1]
        if isinstance(turn, Turn) and turn.cycle is not None and not turn.cycle.response_complete:
            turn.cycle.disconnected = True
            turn.cycle.message_event.set()
            self.order.pop()

    # requests on uvicorn's path

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        turn = Turn(cycle, app)
        self.order.append(turn)
        if self.order[0] is turn:
            self._start_turn(turn)

    def _start_turn(self, turn: Turn) -> None:
        turn.started = True
        assert turn.cycle is not None
        if self.hub.draining:
            turn.cycle.keep_alive = False
        super()._start_asgi_task(turn.cycle, turn.app)

    def on_response_complete(self) -> None:
        if self.order and isinstance(self.order[0], Turn):
            self.order.popleft()
        super().on_response_complete()
        if not self.transport.is_closing():
            self._next_turns()

    # time

    def check_time(self) -> None:
        """Called once a second: end connections that are idle or too slow."""
        limits, now = self.hub.limits, self.hub.second
        if self._closing or self.transport.is_closing():
            return
        waited = now - self._since
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent == self._unsent:
            if waited > limits.body_timeout_s:
                self.transport.abort()
            return
        self._unsent = unsent
        if self._phase == HEAD:
            if waited > limits.header_timeout_s:
                self._reject(Rejection(408, "Request Timeout: the header fields took too long"))
        elif self._phase == BODY:
            self._check_body_pace(waited)
        elif not self.order and (self.cycle is None or self.cycle.response_complete):
            idle_s = limits.keep_alive_s if self._used else limits.header_timeout_s
            if waited > idle_s:
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
        return self._phase == IDLE and not self.order
