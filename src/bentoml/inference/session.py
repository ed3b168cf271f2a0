"""A service in use outside a server: by the test client and by `bentoml run`.

Its functions find what the worker start hooks prepared, and all its coroutines share one event loop,
because a connection that a hook opened belongs to the loop it was opened on.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from bentoml.service.base import BentoService

T = TypeVar("T")


class Session:
    """Runs the start hooks when it is opened and the stop hooks when it is closed.

    The event loop has a thread of its own, so that callers with a running loop may use it too.
    """

    def __init__(self, service: BentoService) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, "bentoml-session")
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Raises what a hook raises."""
        self._run_hooks(self._service.start_hooks)

    def close(self) -> None:
        try:
            self._run_hooks(self._service.stop_hooks)
        finally:
            if self._loop is not None:
                self._thread.submit(self._loop.close).result()
                self._loop = None
            self._thread.shutdown()

    def __enter__(self) -> Session:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def wait_for(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the coroutine that `start` makes."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        loop = self._loop
        return self._thread.submit(lambda: loop.run_until_complete(start())).result()

    def _run_hooks(self, hooks: Sequence[Callable[[], Any]]) -> None:
        for hook in hooks:
            if inspect.iscoroutinefunction(hook):
                self.wait_for(hook)
            else:
                hook()
