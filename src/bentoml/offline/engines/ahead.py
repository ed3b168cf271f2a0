"""Reading in a thread of its own, a little ahead of who needs it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")
_LOOK_EVERY_S = 0.1
_END = object()


def read_ahead(items: Iterable[T], count: int = 1) -> Generator[T, None, None]:
    """`items`, up to `count` of them before they are asked for. An error comes where it happened.

    A generator; closing it ends the thread.
    """
    queue: Queue[Any] = Queue(count)
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(items, queue, stop), name="bentoml-ahead", daemon=True)
    reader.start()
    try:
        while (found := queue.get()) is not _END:
            if isinstance(found, _Raised):
                raise found.error
            yield found
    finally:
        stop.set()
        reader.join()


class _Raised:
    """What reading raised, on its way to the other thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _read(items: Iterable[Any], queue: Queue[Any], stop: threading.Event) -> None:
    try:
        for item in items:
            if not _put(queue, item, stop):
                return
    except BaseException as err:
        _put(queue, _Raised(err), stop)
        return
    _put(queue, _END, stop)


def _put(queue: Queue[Any], item: Any, stop: threading.Event) -> bool:
    """False when nobody wants it any more."""
    while not stop.is_set():
        try:
            queue.put(item, timeout=_LOOK_EVERY_S)
            return True
        except Full:
            continue
    return False
