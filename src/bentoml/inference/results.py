"""From what a call returned, or raised, to one reply per item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bentoml.adapters.base_input import is_foreign
from bentoml.adapters.base_output import BaseOutputAdapter, plain_reply, reply_of_result, result_of_reply
from bentoml.exceptions import BentoMLException
from bentoml.types import InferenceError, InferenceResult, InferenceTask, Reply, ReplyHead, error_reply

from .calls import logger

_RETRYABLE = ReplyHead(500, "text/plain; charset=utf-8", (("Retry-After", "1"),))
_BATCH_FAILED = (
    b"Exception happened in API function: the batch of this request failed and the request was not "
    b"run again on its own; it may be sent again"
)
BATCH_FAILED = Reply(_RETRYABLE, _BATCH_FAILED, True)


def failure_reply(error: BaseException) -> Reply:
    """The answer of an item whose call raised.

    An exception of this library with a 4xx status keeps that status; everything else is 500.
    """
    if isinstance(error, BentoMLException) and 400 <= error.http_status < 500:
        return error_reply(error.http_status, str(error))
    text = _text_of(error)
    if not isinstance(error, Exception) or not text:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return error_reply(500, f"Exception happened in API function: {text}")


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a broken __str__ of user code must not end the batch
        return ""


def discarded_reply(task: InferenceTask) -> Reply:
    return plain_reply(task.error or InferenceError(err_msg="The item was discarded", http_status=400))


class Finisher:
    """Checks and encodes the return value of a call with the API's output adapter."""

    def __init__(self, adapter: BaseOutputAdapter, api_name: str) -> None:
        self.adapter = adapter
        self.api_name = api_name
        self.packs_itself = is_foreign(adapter, "pack_user_func_return_value")
        self._responds_itself = is_foreign(adapter, "to_http_response")
        own_encode = is_foreign(adapter, "encode") and not is_foreign(adapter, "encode_for")
        self.negotiates = adapter.NEGOTIATES and not own_encode

    def batch(
        self,
        results: Any,
        rows: Sequence[int | None],
        tasks: Sequence[InferenceTask] = (),
        accepts: Sequence[str] = (),
    ) -> list[Reply]:
        """Replies for the items of one call in batch mode; as many as `rows`, in order.

        Args:
            accepts: the `Accept` header of each item, for an adapter that `negotiates`.
        """
        if not hasattr(results, "__len__"):
            if not hasattr(results, "__iter__"):
                return self._mismatch(f"a {type(results).__name__}", rows)
            results = list(results)
        if isinstance(results, (str, bytes, dict)):
            return self._mismatch(f"one {type(results).__name__}", rows)
        if isinstance(results, (list, tuple)):
            kinds = set(map(type, results))
            if any(issubclass(kind, InferenceResult) for kind in kinds):
                return self._mixed(results, rows, tasks, accepts)
        expected = len(rows) if rows.count(None) == len(rows) else sum(1 if r is None else r for r in rows)
        actual = _length(results)
        if actual != expected:
            return self._mismatch(f"{actual} results", rows, expected)
        return self._encode(results, rows, tasks, accepts)

    def one(self, result: Any, tasks: Sequence[InferenceTask] = (), accepts: Sequence[str] = ()) -> Reply:
        """The reply of a call for one item (`batch=False`)."""
        if isinstance(result, InferenceResult):
            return reply_of_result(self.adapter, result)
        return self._encode([result], [None], tasks, accepts)[0]

    def _mixed(
        self,
        results: Sequence[Any],
        rows: Sequence[int | None],
        tasks: Sequence[InferenceTask],
        accepts: Sequence[str],
    ) -> list[Reply]:
        """Results that user code built, one per item, possibly with plain values between them."""
        if len(results) != len(rows):
            return self._mismatch(f"{len(results)} results", rows, len(rows))
        return [self.one(result, tasks[i : i + 1], accepts[i : i + 1]) for i, result in enumerate(results)]

    def _encode(
        self,
        results: Any,
        rows: Sequence[int | None],
        tasks: Sequence[InferenceTask],
        accepts: Sequence[str],
    ) -> list[Reply]:
        try:
            if self.packs_itself:
                packed = self.adapter.pack_user_func_return_value(results, tasks)
                replies = [reply_of_result(self.adapter, result) for result in packed]
            else:
                if accepts:
                    replies = self.adapter.encode_for(results, rows, accepts)
                else:
                    replies = self.adapter.encode(results, rows)
                if self._responds_itself:
                    replies = [reply_of_result(self.adapter, result_of_reply(r)) for r in replies]
        except Exception as err:  # an output adapter's failure belongs to these items
            logger.error("Error caught in output adapter:", exc_info=err)
            kind = type(err).__name__
            reply = error_reply(500, f"The result of API '{self.api_name}' cannot be written ({kind})")
            return [reply] * len(rows)
        if len(replies) != len(rows):
            return self._mismatch(f"{len(replies)} packed results", rows, len(rows))
        return replies

    def _mismatch(self, got: str, rows: Sequence[int | None], expected: int | None = None) -> list[Reply]:
        count = len(rows) if expected is None else expected
        message = (
            f"The return values of Api Function doesn't match tasks: API '{self.api_name}' has to return "
            f"a sequence of {count} results for {len(rows)} requests and returned {got}"
        )
        logger.error("%s", message)
        return [error_reply(500, message)] * len(rows)


def _length(results: Any) -> int:
    try:
        return len(results)
    except TypeError:  # an array without dimensions
        return -1
