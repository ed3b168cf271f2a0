"""The service in this process, and what the local engine asks of whatever runs its pieces."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from bentoml.offline.runner import BatchRunner, call_hook
from bentoml.offline.values import Mode, Outcome, Piece

if TYPE_CHECKING:
    from bentoml.service import BentoService


class Executor(Protocol):
    """Takes pieces in order and gives a future for each.

    Attributes:
        depth: pieces that may be under way before the first result is waited for.
    """

    depth: int

    def submit(self, piece: Piece) -> Future[Outcome]: ...

    def close(self) -> None: ...


class InlineExecutor:
    """Runs each piece at once, in this process."""

    depth = 0

    def __init__(self, service: BentoService, api_name: str, mode: Mode) -> None:
        self._stop_hooks = service.stop_hooks
        for hook in service.start_hooks:
            call_hook(hook)
        self._runner = BatchRunner(service.get_inference_api(api_name), mode)

    def submit(self, piece: Piece) -> Future[Outcome]:
        if not piece.rows:
            return done(Outcome(None, [], 0.0))
        future: Future[Outcome] = Future()
        try:
            future.set_result(self._runner.run(piece.batch))
        except Exception as err:  # handed to whoever asks for the result
            future.set_exception(err)
        return future

    def close(self) -> None:
        self._runner.close()
        for hook in self._stop_hooks:
            call_hook(hook)


def done(value: Any) -> Future[Any]:
    """A future that has its result already."""
    future: Future[Any] = Future()
    future.set_result(value)
    return future
