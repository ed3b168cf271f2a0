"""One piece through one API: the step that is the same in every process and on every engine.

Tables go straight into the adapter's arguments; everything else becomes payloads for the pipeline.
Whether a row fails must not depend on its neighbours, so rows of a failed call are called again in
halves until the guilty ones are alone, unless the API forbids it with `isolate=False`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bentoml.adapters.base_input import BaseInputAdapter, is_foreign, overrides_legacy
from bentoml.adapters.dataframe_output import DataframeOutput
from bentoml.adapters.default_output import DefaultOutput
from bentoml.adapters.form_fields import FormFields
from bentoml.adapters.json_output import JsonOutput
from bentoml.adapters.limits import DEFAULT_LIMITS
from bentoml.adapters.multi_file_input import MultiFileInput
from bentoml.exceptions import BadInput
from bentoml.inference.isolation import is_out_of_memory
from bentoml.inference.pipeline import Pipeline
from bentoml.inference.results import failure_reply
from bentoml.types import Payload, Reply

from .payloads import payloads_of
from .results import Failed, WrongCount, columns_of, of_replies
from .typed import joined
from .values import Mode, Outcome

if TYPE_CHECKING:
    from bentoml.service.inference_api import InferenceAPI

logger = logging.getLogger("bentoml")
_PLAIN_OUTPUTS = (DataframeOutput, DefaultOutput, JsonOutput)
_LOGGED = 3


def takes_tables(input_adapter: Any) -> bool:
    """Whether an adapter reads whole tables, by `from_table`."""
    return type(input_adapter).from_table is not BaseInputAdapter.from_table


def fields_of(input_adapter: Any) -> FormFields | None:
    """The fields of the forms that an adapter reads, None for any other adapter."""
    return input_adapter.fields if isinstance(input_adapter, MultiFileInput) else None


class BatchRunner:
    """Runs pieces through an API. Not for use by several threads at once.

    Args:
        api: the API of a loaded service.
        mode: what a row is.
    """

    def __init__(self, api: InferenceAPI, mode: Mode) -> None:
        self.api = api
        self.mode = mode
        self._rowwise = takes_tables(api.input_adapter)
        self._fields = fields_of(api.input_adapter)
        self._by_table = mode == "table" and self._rowwise and _is_plain(api)
        own = DEFAULT_LIMITS  # what an operator allows clients is no bound for the owner's files
        self._pipeline = Pipeline(api, replace(own, max_body_bytes=1 << 31, image_pixels=1 << 30))
        self._loop = asyncio.new_event_loop() if api.is_async and self._by_table else None
        self._quiet = _QuietAfter(_LOGGED)
        logger.addFilter(self._quiet)

    def close(self) -> None:
        logger.removeFilter(self._quiet)
        if self._loop is not None:
            self._loop.close()

    def run(self, batch: Any) -> Outcome:
        """Predictions for the rows of `batch`. Raises `WrongCount`, and nothing that user code raised."""
        started = perf_counter()
        columns, failed = self._table(batch) if self._by_table else self._items(batch)
        return Outcome(columns, failed, perf_counter() - started, peak_bytes())

    # -- whole tables -----------------------------------------------------------------------------

    def _table(self, batch: Any) -> tuple[Any, Failed]:
        try:
            return self._call(batch)
        except (KeyboardInterrupt, WrongCount):
            raise
        except BaseException as err:  # user code; SystemExit of a model must not end the run
            if not isinstance(err, BadInput):  # the data is wrong, and its reason is with the bad row
                logger.error("Error caught in API function:", exc_info=err)
            count = batch.num_rows
            reason = failure_reply(err).body.decode("utf-8", "replace")
            if count == 1 or not (self.api.isolate or is_out_of_memory(err)):
                return None, [(place, reason) for place in range(count)]
        middle = count // 2
        first, failed = self._table(batch.slice(0, middle))
        second, more = self._table(batch.slice(middle))
        return joined([first, second]), [*failed, *((place + middle, why) for place, why in more)]

    def _call(self, batch: Any) -> tuple[Any, Failed]:
        args = self.api.input_adapter.from_table(batch)
        assert args is not None
        result = self.api.user_func(*args)
        if inspect.isawaitable(result) and self._loop is not None:
            result = self._loop.run_until_complete(result)
        return columns_of(result, batch.num_rows, self.api.name)

    # -- one item after the other -----------------------------------------------------------------

    def _items(self, batch: Any) -> tuple[Any, Failed]:
        items = payloads_of(batch, self.mode, rowwise=self._rowwise, fields=self._fields)
        replies: list[Reply | None] = [item if isinstance(item, Reply) else None for item in items]
        good = [place for place, item in enumerate(items) if isinstance(item, Payload)]
        self._fill(items, good, replies)
        unwrap = self._rowwise and self.mode == "table"  # a file or line may be a table of any length
        return of_replies([reply for reply in replies if reply is not None], unwrap=unwrap)

    def _fill(self, items: Sequence[Any], places: Sequence[int], replies: list[Reply | None]) -> None:
        if not places:
            return
        for place, reply in zip(places, self._pipeline.run([items[p] for p in places]), strict=True):
            replies[place] = reply
        if not self.api.batch or not self.api.isolate or len(places) == 1:
            return
        again = [place for place in places if _is_shared(replies[place])]
        middle = (len(again) + 1) // 2
        self._fill(items, again[:middle], replies)
        self._fill(items, again[middle:], replies)


def _is_shared(reply: Reply | None) -> bool:
    """Whether this may be the failure of a neighbour."""
    return reply is not None and reply.error and reply.head.status >= 500


def _is_plain(api: InferenceAPI) -> bool:
    """Whether only the values the function returns matter: no tasks, no packing of the user's own."""
    return (
        api.batch
        and api.task_argument is None
        and type(api.output_adapter) in _PLAIN_OUTPUTS
        and not overrides_legacy(api.input_adapter)
        and not any(is_foreign(api.input_adapter, name) for name in ("decode", "merge"))
    )


def peak_bytes() -> int:
    """Largest resident size of this process without mapped files; 0 where the system does not tell.

    Pages of mapped files, such as an input, are left out because the system takes them back at will.
    `ru_maxrss` serves only where there is no /proc: on Linux it starts with the size of the parent.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return _largest_by_rusage()
    return max(0, _kib(status, "VmHWM:") - _kib(status, "RssFile:")) * 1024


def _kib(status: str, field: str) -> int:
    return int(status.partition(field)[2].split()[0]) if field in status else 0


def _largest_by_rusage() -> int:
    try:
        import resource  # noqa: PLC0415 - exists on POSIX only
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def call_hook(hook: Callable[[], Any]) -> None:
    """Run a start or stop hook of a service, which may be a coroutine function."""
    result = hook()
    if inspect.iscoroutine(result):
        asyncio.run(result)


class _QuietAfter(logging.Filter):
    """Lets the first tracebacks of user code through; the reasons of all are with the bad rows."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.exc_info or "API function" not in record.getMessage():
            return True
        self._left -= 1
        return self._left >= 0
