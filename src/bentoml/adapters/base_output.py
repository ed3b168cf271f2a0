"""The contract of output adapters: what a call returned, to one finished reply per item.

`encode` takes the whole batch so that it can be written at once. The methods of the 0.13 line are
written on top of it; a subclass may override either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bentoml.exceptions import APIDeprecated
from bentoml.keywords import refuse_misspelled
from bentoml.types import (
    AwsLambdaEvent,
    HTTPHeaders,
    HTTPResponse,
    InferenceError,
    InferenceResult,
    InferenceTask,
    JsonSerializable,
    Reply,
    ReplyHead,
    error_reply,
)

from .cli_output import print_reply

LEGACY_OUTPUT_METHODS = ("pack_user_func_return_value", "to_http_response")


class BaseOutputAdapter:
    """Base class of all output adapters.

    Args:
        cors: removed in 0.13; set CORS in the server's configuration.
        base_config: kept in `config`.
    """

    NEGOTIATES: ClassVar[bool] = False  # whether `encode_for` looks at what clients accept
    _base_config: Mapping[str, Any] = {}

    def __init__(self, cors: Any = None, **base_config: Any) -> None:
        if cors is not None:
            raise APIDeprecated(
                "`cors` is no longer an argument of output adapters; set it in the server's "
                "configuration (bento_server.cors)"
            )
        refuse_misspelled(type(self), base_config)
        self._base_config = base_config

    @property
    def config(self) -> dict[str, JsonSerializable]:
        return dict(self._base_config)

    @property
    def pip_dependencies(self) -> list[str]:
        return []

    def encode(self, results: Any, rows: Sequence[int | None]) -> list[Reply]:
        """One reply per item.

        Args:
            results: what the user function returned for the whole call.
            rows: how many results belong to each item, None for an item that is one result. Their
                sum is the length of `results`; the caller has checked that.
        """
        tasks = [InferenceTask(batch=count) for count in rows]
        return [reply_of_result(self, r) for r in self.pack_user_func_return_value(results, tasks)]

    def encode_for(self, results: Any, rows: Sequence[int | None], accepts: Sequence[str]) -> list[Reply]:
        """As `encode`, each item in the form that its `Accept` header (`""` if none) asks for."""
        return self.encode(results, rows)

    # -- the methods of the 0.13 line -------------------------------------------------------------

    def pack_user_func_return_value(
        self, return_result: Any, tasks: Sequence[InferenceTask]
    ) -> Sequence[InferenceResult]:
        """One result per task that was not discarded."""
        if type(self).encode is BaseOutputAdapter.encode:
            raise TypeError(f"{type(self).__name__} must define `encode` or `pack_user_func_return_value`")
        replies = self.encode(return_result, [task.batch for task in tasks])
        return [result_of_reply(r, t.task_id) for r, t in zip(replies, tasks, strict=True)]

    def to_http_response(self, result: InferenceResult) -> HTTPResponse:
        return response_of_reply(plain_reply(result))

    def to_cli(self, results: Sequence[InferenceResult]) -> int:
        """Print one line per result; 1 if any of them is an error, else 0."""
        return max((print_reply(plain_reply(result)) for result in results), default=0)

    def to_aws_lambda_event(self, result: InferenceResult) -> AwsLambdaEvent:
        return {
            "statusCode": result.http_status,
            "body": result.err_msg or result.data,
            "headers": {"Access-Control-Allow-Origin": "*"},
        }


def plain_reply(result: InferenceResult) -> Reply:
    """A reply from a result that user code built: its data is the body, unencoded."""
    if result.err_msg:
        return _with_headers(result, error_reply(result.http_status, result.err_msg))
    data = result.data
    if isinstance(data, (bytes, bytearray, memoryview)):
        reply = Reply(ReplyHead(result.http_status, "application/octet-stream"), bytes(data))
    else:
        text = "" if data is None else str(data)
        reply = Reply(
            ReplyHead(result.http_status, "text/plain; charset=utf-8"), text.encode("utf-8", "replace")
        )
    failed = isinstance(result, InferenceError)
    return _with_headers(result, reply._replace(error=failed) if failed else reply)


def _with_headers(result: InferenceResult, reply: Reply) -> Reply:
    pairs = result.http_headers.pairs
    if not pairs:
        return reply
    kind = result.http_headers.get("content-type", reply.head.content_type)
    kept = tuple((name, value) for name, value in pairs if name.lower() not in _OWN_HEADERS)
    return reply._replace(head=ReplyHead(reply.head.status, kind, kept))


_OWN_HEADERS = frozenset({"content-type", "content-length", "transfer-encoding", "connection"})


def result_of_reply(reply: Reply, task_id: str | None = None) -> InferenceResult:
    """A reply as the 0.13 line's value."""
    headers = HTTPHeaders((("Content-Type", reply.head.content_type), *reply.head.headers))
    text: Any
    try:
        text = reply.body.decode("utf-8")
    except UnicodeDecodeError:
        text = reply.body
    if reply.error:
        return InferenceError(
            err_msg=str(text), http_status=reply.head.status, http_headers=headers, task_id=task_id
        )
    return InferenceResult(data=text, http_status=reply.head.status, http_headers=headers, task_id=task_id)


def response_of_reply(reply: Reply) -> HTTPResponse:
    headers = (("Content-Type", reply.head.content_type), *reply.head.headers)
    return HTTPResponse.new(reply.head.status, headers, reply.body)


def reply_of_result(adapter: BaseOutputAdapter, result: InferenceResult) -> Reply:
    """The reply of a result, by the adapter's own `to_http_response` when a subclass has one."""
    if type(adapter).to_http_response is BaseOutputAdapter.to_http_response:
        return plain_reply(result)
    response = adapter.to_http_response(result)
    body = response.body.encode("utf-8") if isinstance(response.body, str) else response.body
    kind = response.headers.get("content-type", "text/plain; charset=utf-8")
    kept = tuple((k, v) for k, v in response.headers.pairs if k.lower() not in _OWN_HEADERS)
    return Reply(ReplyHead(response.status, kind, kept), body, bool(result.err_msg))
