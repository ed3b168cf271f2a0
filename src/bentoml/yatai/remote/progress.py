"""Transfers count from their beginning, also when they go on after a break; bars count what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bentoml.observability.progress import progress_bar


@contextmanager
def transfer_bar(what: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Gives a function that is told how many bytes are through in all."""
    seen = 0
    with progress_bar(what, total_bytes) as advance:

        def reach(done: int) -> None:
            nonlocal seen
            advance(done - seen)
            seen = done

        yield reach
