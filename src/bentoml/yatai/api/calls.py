"""What every RPC goes through: who calls, may they, decode, run, encode, and how an error looks.

Clients of 0.13 read a status inside the answer; clients of this line (they send `bentoml-client`) and
all new RPCs get a real gRPC status.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from bentoml.exceptions import BentoMLException
from bentoml.rpc import convert
from bentoml.rpc.convert import Method
from bentoml.rpc.status import shown, status_message
from bentoml.yatai.access import READ, Caller

from .auth import Authenticator
from .metrics import CallMetrics, RpcMetrics
from .presenting import Presenter
from .stalls import StallWatch

CLIENT_KEY = "bentoml-client"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class CallContext:
    """What the plumbing of RPCs shares.

    Attributes:
        present: what clients are told about errors.
    """

    authenticator: Authenticator
    metrics: RpcMetrics
    stalls: StallWatch
    present: Presenter


def method_handler(method: Method, handler: Handler, shared: CallContext, *, is_open: bool) -> Any:
    """The gRPC handler of one RPC.

    Args:
        is_open: anybody may call it, with or without a token.
    """
    call = _Call(method, handler, shared, is_open)
    if method.streams_responses:
        return grpc.unary_stream_rpc_method_handler(call.unary_stream)
    if method.streams_requests:
        return grpc.stream_unary_rpc_method_handler(call.stream_unary)
    return grpc.unary_unary_rpc_method_handler(call.unary_unary)


class _Call:
    def __init__(self, method: Method, handler: Handler, shared: CallContext, is_open: bool) -> None:
        self._method = method
        self._handler = handler
        self._shared = shared
        self._is_open = is_open
        self._read = convert.read_piece if convert.carries_pieces(method.request) else convert.read
        self._write = convert.write_piece if convert.carries_pieces(method.response) else convert.write
        response = convert.fields(method.response)
        self._has_status = "status" in response

    def unary_unary(self, data: bytes, context: Any) -> bytes:
        with self._shared.metrics.call(self._method) as call:
            call.received = 1
            answer = b""
            with self._explained(context, call) as failure:
                caller = self._caller(context)
                answer = self._encode(self._handler(caller, convert.read(self._method.request, data)))
            call.sent = 1
            return self._in_band(failure[0]) if failure else answer

    def stream_unary(self, messages: Iterator[bytes], context: Any) -> bytes:
        with self._shared.metrics.call(self._method) as call:
            answer = b""
            with self._explained(context, call) as failure:
                caller = self._caller(context)
                watched = self._shared.stalls.watch(messages, context)
                answer = self._encode(self._handler(caller, self._read_all(watched, call)))
            call.sent = 1
            return self._in_band(failure[0]) if failure else answer

    def unary_stream(self, data: bytes, context: Any) -> Iterator[bytes]:
        with self._shared.metrics.call(self._method) as call:
            call.received = 1
            with self._explained(context, call) as failure:
                caller = self._caller(context)
                answers = self._handler(caller, convert.read(self._method.request, data))
                for answer in self._shared.stalls.watch_sending(map(self._encode, answers), context):
                    call.sent += 1
                    yield answer
            if failure:
                yield self._in_band(failure[0])

    def _read_all(self, messages: Iterator[bytes], call: CallMetrics) -> Iterator[dict[str, Any]]:
        for data in messages:
            call.received += 1
            yield self._read(self._method.request, data)

    def _encode(self, answer: Any) -> bytes:
        return answer if isinstance(answer, bytes) else self._write(self._method.response, answer)

    def _caller(self, context: Any) -> Caller:
        if self._is_open:
            return Caller("anybody", frozenset())
        caller = self._shared.authenticator.caller_of_call(context.invocation_metadata())
        caller.require(READ)
        return caller

    @contextlib.contextmanager
    def _explained(self, context: Any, call: CallMetrics) -> Iterator[list[BentoMLException]]:
        """Ends the RPC with the status of an error, or keeps the error for an in-band status."""
        failure: list[BentoMLException] = []
        try:
            yield failure
        except BentoMLException as err:
            failure.append(self._shared.present(self._method.name, err))
        except grpc.RpcError:
            call.code = 1  # the client went away; nobody reads an answer
            raise
        except Exception as err:
            if not context.is_active():
                call.code = 1
                raise
            failure.append(self._shared.present(self._method.name, err))
        if failure:
            call.code = failure[0].grpc_code
            if not self._wants_in_band(context):
                context.abort(_CODES[failure[0].grpc_code], shown(failure[0]))

    def _wants_in_band(self, context: Any) -> bool:
        return self._has_status and all(key != CLIENT_KEY for key, _ in context.invocation_metadata())

    def _in_band(self, error: BentoMLException) -> bytes:
        return convert.write(self._method.response, {"status": status_message(error)})
