"""Errors as clients see them: no directory of the server, and no detail of what nobody expected."""

from __future__ import annotations

import logging
import uuid

from bentoml.exceptions import BentoMLException
from bentoml.rpc.status import INTERNAL

logger = logging.getLogger("bentoml.yatai")


class Presenter:
    """Turns an error into one for clients, and logs what they are not told.

    Args:
        hidden: texts that no client may see, such as directories of the server.
    """

    def __init__(self, hidden: tuple[str, ...] = ()) -> None:
        self._hidden = hidden

    def __call__(self, call: str, error: Exception) -> BentoMLException:
        if not isinstance(error, BentoMLException) or error.grpc_code == INTERNAL:
            return _unexpected(call, error)
        text = str(error)
        if not any(part in text for part in self._hidden):
            return error
        logger.warning("%s: %s", call, text)
        for part in self._hidden:
            text = text.replace(part, "…")
        return _with_code(error, text)


def _unexpected(call: str, error: Exception) -> BentoMLException:
    reference = uuid.uuid4().hex[:12]
    is_known = isinstance(error, BentoMLException)
    trace = None if is_known else error
    logger.error("%s failed (%s): %s", call, reference, error, exc_info=trace)
    return BentoMLException(f"The server failed; its log has the reason under {reference}.")


def _with_code(error: BentoMLException, text: str) -> BentoMLException:
    codes = {"grpc_code": error.grpc_code, "http_status": error.http_status}
    made: BentoMLException = type("Presented", (BentoMLException,), codes)(text)
    return made
