"""The reading half of a connection. Predictions leave uvicorn's generic path here.

httptools parses; this class decides. A request for a prediction route becomes one small record
that goes straight to the dispatcher: no scope, cycle, task, event or future. Any other request is
handed to uvicorn's own code and served by the Starlette application.

A head that was parsed and accepted before is recognised by its exact bytes (`Hub.memo`), which
skips the parser. Only whole heads at a message boundary take that road, so nothing can be read
differently from how the parser read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from time import monotonic
from typing import TYPE_CHECKING, Any

import httptools

from bentoml.batching.queue import Request, Sink
from bentoml.workers.slab import SharedBody

from .checks import Framing, Rejection, check_head, too_large
from .connection import BODY, HEAD, IDLE, MOST_PIPELINED, Connection
from .hub import Hub, KnownHead, Route, raw_fields

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

END_OF_HEAD = b"\r\n\r\n"
PIECE_BYTES = 1 << 14
CHUNK_HEAD_BYTES = 24
METHOD = re.compile(rb"[A-Z]{1,24} /")
NO_PATH = re.compile(rb"[a-z][a-z0-9+.-]*://[^/?#]+(?=[?#]|\Z)", re.IGNORECASE)
MALFORMED = Rejection(400, "Invalid HTTP request received.")


class PredictionProtocol(Connection):
    """A connection whose predictions go straight to the dispatcher."""

    __slots__ = (
        "_boundary",
        "_candidate",
        "_chunk_count",
        "_keep_alive",
        "_known",
        "_length",
        "_offered",
        "_overhead",
        "_priority",
        "_raw",
        "_route",
        "_timeout_s",
    )

    def __init__(
        self,
        hub: Hub,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(hub, config, server_state, app_state, _loop)
        with contextlib.suppress(AttributeError, TypeError):  # httptools before 0.6.3
            self.parser.set_dangerous_leniencies(lenient_version=True)  # `check_head` looks at it
        self._boundary = True
        self._candidate: bytes | None = None
        self._known: KnownHead | None = None
        self._route: Route | None = None
        self._offered: KnownHead | None = None
        self._keep_alive = True
        self._length = 0
        self._raw = b""
        self._timeout_s = 0.0
        self._priority = 0
        self._chunk_count = 0
        self._overhead = 0

    # bytes in

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self._held:
            self._hold(self._held + data)
            return
        if self._known is not None:
            data = self._more_of_known(self._known, data)
        memo = self.hub.memo
        while data and not self._closing:
            if self._boundary:
                at = data.find(END_OF_HEAD)
                head = data[: at + 4] if at >= 0 else None
                known = memo.get(head) if head is not None else None
                if known is not None:
                    end = at + 4 + known.length
                    if len(data) < end:
                        self._begin_known(known, data[at + 4 :])
                        return
                    self._submit(known.route, known.raw, data[at + 4 : end], known.timeout_s, known.priority)
                    if len(data) == end:
                        return
                    data = data[end:]
                else:
                    self._candidate = head
                    data = self._parse(data)
            else:
                data = self._parse(data)
            if data and len(self.order) >= MOST_PIPELINED:
                self._hold(data)
                return

    def _begin_known(self, known: KnownHead, start: bytes) -> None:
        self._known = known
        self._have = len(start)
        self._shared = self.hub.large_body(known.length)
        self._chunks = []
        self._keep(start)
        self._enter(BODY)

    def _keep(self, part: bytes) -> None:
        """Add a part of the body that is being read."""
        if self._shared is not None:
            self._shared.append(part)
        else:
            self._chunks.append(part)

    def _take_body(self) -> bytes | SharedBody:
        shared, self._shared = self._shared, None
        chunks, self._chunks = self._chunks, []
        if shared is not None:
            return shared
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _more_of_known(self, known: KnownHead, data: bytes) -> bytes:
        """Add to the body of a known head; what is left over belongs to the next message."""
        missing = known.length - self._have
        part, rest = (data, b"") if len(data) <= missing else (data[:missing], data[missing:])
        self._keep(part)
        self._have += len(part)
        if self._have == known.length:
            self._known = None
            body = self._take_body()
            self._enter(IDLE)
            route = self.hub.current(known.route)
            self._submit(route, known.raw, body, known.timeout_s, known.priority)
        return rest

    def _parse(self, data: bytes) -> bytes:
        """Feed the parser. Returns what it did not get, to be looked at again.

        A piece at a time, or what is missing of a body: one read may hold thousands of small requests.
        """
        missing = self._length - self._have if self._phase == BODY else 0
        piece = data[: max(missing, PIECE_BYTES)]
        rest = data[len(piece) :]
        self._overhead += len(piece)
        have = self._have
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as err:
            return self._decline_upgrade(piece[err.args[0] :] + rest)
        except httptools.HttpParserInvalidMethodError:
            unknown = self._phase == HEAD and METHOD.match(piece) is not None
            self._fail_parsing(Rejection(501, "Not Implemented: unknown method") if unknown else MALFORMED)
        except httptools.HttpParserError:
            self._fail_parsing(MALFORMED)
        if self._phase != IDLE and not self._closing:
            self._check_overhead(have)
        return rest

    def _fail_parsing(self, rejection: Rejection) -> None:
        if not self._closing:
            self._reject(rejection)

    def _check_overhead(self, have: int) -> None:
        """Bound what is read beside bodies: head, chunk heads, trailers."""
        limits = self.hub.limits
        if self._phase == BODY and self._have > have:
            self._overhead -= self._have - have
        limit = limits.max_header_bytes + limits.max_target_bytes
        if self._overhead > limit + PIECE_BYTES + CHUNK_HEAD_BYTES * self._chunk_count:
            self._reject(Rejection(431, f"the request head is over the limit of {limit} bytes"))

    def _decline_upgrade(self, rest: bytes) -> bytes:
        """Stay with HTTP/1.1. The parser took the request for one without a body; we know better."""
        offered, self._offered = self._offered, None
        if self._closing:
            return b""
        if offered is not None:
            self._begin_known(offered, b"")
            return self._more_of_known(offered, rest)
        return rest

    # parser callbacks

    def on_message_begin(self) -> None:
        if self._closing:
            return
        self._boundary = False
        self._generic = False
        self._route = None
        self._have = 0
        self._chunk_count = 0
        self._overhead = 0
        self._enter(HEAD)
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_url(self, url: bytes) -> None:
        if self._phase == HEAD:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase == HEAD:  # trailers are not fields of the request
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._closing:
            return
        hub = self.hub
        version = self.parser.get_http_version()
        checked = check_head(self.headers, version, self.url, hub.limits)
        if isinstance(checked, Rejection):
            self._trace_refusal(checked, None, raw_fields(self.parser.get_method(), self.headers))
            self._reject(checked)
            return
        self._enter(BODY)
        self._length = checked.length or 0
        method = self.parser.get_method()
        self._keep_alive = self.parser.should_keep_alive() and version != "1.0"
        self._knows_interim = self._knows_interim and version != "1.0"
        route = hub.routes.get(self.url.partition(b"?")[0])
        if route is None or method not in route.methods or (hub.cors and self._is_cross_origin()):
            self._begin_generic(checked)
            return
        self._route = route
        self._chunks = []
        self._shared = self.hub.large_body(self._length)
        self._raw = raw_fields(method, self.headers)
        limit_s = route.queue.timeout_s
        self._timeout_s = min(limit_s, checked.timeout_s or limit_s)
        self._priority = min(checked.priority, len(route.queue.lanes) - 1)
        known = KnownHead(route, checked.length or 0, self._raw, self._timeout_s, self._priority)
        if checked.expects_continue and not self.order:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.parser.should_upgrade():
            self._offer(known if checked.length is not None else None)
        elif self._candidate is not None and checked.cacheable and self._keep_alive:
            start = b"%b %b HTTP/1.1\r\n" % (method, self.url)
            hub.remember(self._candidate, start, len(self.headers), known)
        self._candidate = None

    def _offer(self, known: KnownHead | None) -> None:
        """A request that offers another protocol: the parser reads no body after it, so we do."""
        if known is None or not self._keep_alive:
            self._reject(Rejection(400, "this server does not switch protocols"))
        elif known.length:
            self._offered = known

    def _is_cross_origin(self) -> bool:
        """Answers to browsers of other origins carry more headers; the application adds them."""
        return any(name == b"origin" for name, _ in self.headers)

    def _begin_generic(self, framing: Framing) -> None:
        if self.parser.should_upgrade() and framing.length != 0:
            self._reject(Rejection(400, "this server does not switch protocols"))
            return
        url, headers = self.url, self.headers
        bare = NO_PATH.match(url)
        if bare is not None:  # `http://host` means the same as `http://host/`
            url = url[: bare.end()] + b"/" + url[bare.end() :]
        super().on_message_begin()
        self._generic = self._used = True
        self.url = url
        self.headers.extend(headers)
        self.expect_100_continue = framing.expects_continue
        try:
            super().on_headers_complete()
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            self._generic = False
            self._reject(Rejection(400, "the request target is not a valid URL"))

    def on_chunk_header(self) -> None:
        self._chunk_count += 1
        if self._chunk_count > self.hub.limits.max_chunks + 1 and not self._closing:  # + 1: the last, empty
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
            self._keep(body)

    def on_message_complete(self) -> None:
        if self._closing:
            return
        self._boundary = True
        if self._offered is not None:
            return  # the parser's view; its body is still to come
        self._enter(IDLE)
        if not self._keep_alive:
            self._closing = True  # what follows is not a request
        route = self._route
        if route is None:
            super().on_message_complete()
            return
        self._ended = not self._keep_alive
        body = self._take_body()
        self._submit(self.hub.current(route), self._raw, body, self._timeout_s, self._priority)

    def _reject(self, rejection: Rejection) -> None:
        if self._phase == BODY and not self._generic:
            route, raw = (
                (self._route, self._raw) if self._known is None else (self._known.route, self._known.raw)
            )
            self._trace_refusal(rejection, route, raw)
        super()._reject(rejection)

    def _trace_refusal(self, rejection: Rejection, route: Route | None, raw: bytes) -> None:
        if self.hub.tracer is not None:
            self.hub.tracer.refused(route, raw, rejection.status, self.hub.second - self._since)

    def _enter(self, phase: int) -> None:
        self._phase = phase
        self._since = self._mark_second = self.hub.second
        self._mark = 0

    def _submit(
        self, route: Route, head: bytes, body: bytes | SharedBody, timeout_s: float, priority: int
    ) -> None:
        now = monotonic()
        sink: Sink = self
        if self.hub.tracer is not None:
            sink, head = self.hub.tracer.enter(self, route, head)
        request = Request(sink, route.queue, head, body, self.hub.ids.next(), now, now + timeout_s, priority)
        self.order.append(request)
        self._used = True
        self._since = self.hub.second
        if len(self.order) >= MOST_PIPELINED:
            self._pause()
        route.dispatcher.submit(request)
