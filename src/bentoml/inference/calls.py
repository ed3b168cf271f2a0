"""Calling the user function: the only place where code of a service runs for a request.

The steps of the pipeline are generators that yield a `Call` and are sent what came of it. One
driver runs them with a plain call and one with `await`, so both kinds of functions share every line
of logic.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias, TypeVar

from bentoml.types import Reply

logger = logging.getLogger("bentoml")
T = TypeVar("T")


class Call(NamedTuple):
    """Arguments of one call of the user function."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = {}


class Failure(NamedTuple):
    """What the user function raised instead of returning.

    `settled` holds the replies of the items, by their number, that it discarded before it raised.
    """

    error: BaseException
    settled: Mapping[int, Reply] = {}


Steps: TypeAlias = "Generator[Call, Any, T]"


@dataclass(slots=True)
class Times:
    """Seconds of one run, by step.

    `rows` is how many the items held together, where the API has a limit on them; 0 otherwise.
    """

    decode_s: float = 0.0
    call_s: float = 0.0
    encode_s: float = 0.0
    rows: int = 0


def drive(steps: Generator[Call, Any, T], func: Callable[..., Any], times: Times) -> T:
    """Run `steps` to their end, calling `func` for every call they ask for."""
    outcome: Any = None
    while True:
        try:
            call = steps.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result
        started = perf_counter()
        try:
            outcome = func(*call.args, **call.kwargs)
        except BaseException as err:  # SystemExit of a model must not end a worker
            outcome = Failure(err)
        times.call_s += perf_counter() - started


async def drive_async(steps: Generator[Call, Any, T], func: Callable[..., Any], times: Times) -> T:
    """As `drive`, for a function whose result is awaited. A cancelled run stays cancelled."""
    outcome: Any = None
    while True:
        try:
            call = steps.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result
        started = perf_counter()
        try:
            outcome = await func(*call.args, **call.kwargs)
        except asyncio.CancelledError as err:
            if _is_cancelled():
                raise
            outcome = Failure(err)
        except BaseException as err:
            outcome = Failure(err)
        times.call_s += perf_counter() - started


def _is_cancelled() -> bool:
    """Whether our own task is being cancelled; assumed where Python cannot tell (3.10)."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    return cancelling is None or cancelling() > 0


def log_failure(error: BaseException) -> None:
    logger.error("Error caught in API function:", exc_info=error)
