"""Ray Data: tasks read splits, actors hold the service once each, rows come back in order.

The data streams: Ray starts to read when an actor is free and waits when the output is slow, and
spills to disk what does not fit its object store.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import ray.data

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.offline.sources.splits import Placer, splits_of
from bentoml.offline.values import Checkpoint, Finished

from .base import Plan
from .remote import COLUMNS, Order, RemoteRunner, pack_chunk, pack_finished, unpack_chunk, unpack_finished

_BLOCK_BYTES = 4 << 20  # about one chunk, so that an actor gets each as soon as it was read
_REACHABLE_S = 15.0
_OF_ITS_OWN = (  # how a Ray that this run starts is started
    ("RAY_USAGE_STATS_ENABLED", "0"),  # nothing here reports to anybody
    ("RAY_DATA_USAGE_DISABLED", "1"),  # a process less
    ("RAY_BACKEND_LOG_LEVEL", "fatal"),  # what matters is raised
)
_SCHEMA = pa.schema(list(zip(COLUMNS, (pa.int64(), pa.binary(), pa.large_binary()), strict=True)))


def run_on_ray(plan: Plan, start: Checkpoint | None, done: int) -> Iterator[Finished]:
    """See `base.Engine`. Uses the Ray of this process where it is connected to one."""
    bundle = plan.target.saved("the Ray engine")
    placer = Placer(plan.source, start, done)
    with _connected(plan.address), _context():
        splits = [ray.put(split) for split in splits_of(plan.source, start)]
        size = plan.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        finished = (
            ray.data.from_items([{"number": n} for n in range(len(splits))], override_num_blocks=len(splits))
            .map_batches(_read, batch_size=1, fn_kwargs={"splits": splits}, num_cpus=0)
            .map_batches(
                _Actor,
                batch_size=None,
                batch_format="pyarrow",
                zero_copy_batch=True,
                fn_constructor_kwargs={"bundle": _Shipped(bundle), "order": Order.of(plan)},
                compute=ray.data.ActorPoolStrategy(size=size),
                num_cpus=1,
                num_gpus=plan.gpus,
            )
        )
        try:
            for table in finished.iter_batches(batch_size=None, batch_format="pyarrow"):
                for part, head, body in _rows(table):
                    yield placer.place(unpack_finished(head, body), part)
        except ray.exceptions.RayError as err:
            raise _plain_error(err) from err


def _read(batch: Any, splits: list[Any]) -> Iterator[Any]:
    """A task: the chunks of one split."""
    for number in batch["number"]:
        split = ray.get(splits[int(number)])
        for chunk, skip in split.chunks():
            yield _table([pack_chunk(chunk, skip, split.part)])


class _Actor:
    """A process with the service."""

    def __init__(self, bundle: _Shipped, order: Order) -> None:
        self._runner = RemoteRunner(bundle.folder(), order, verify=True)
        atexit.register(self._runner.close)

    def __call__(self, table: Any) -> Iterator[Any]:
        for part, head, body in _rows(table):
            for finished in self._runner.run(*unpack_chunk(head, body)):
                yield _table([pack_finished(finished, part)])


class _Shipped:
    """A bundle that finds its way to the machine of an actor.

    Its folder is used where it is there too, as on this machine or a shared disk; a machine without it
    gets a copy through Ray.
    """

    def __init__(self, bundle: Path) -> None:
        self._path = bundle.absolute()
        names = [path.relative_to(bundle) for path in sorted(bundle.rglob("*")) if path.is_file()]
        self._sizes = {name: (bundle / name).stat().st_size for name in names}
        self._files = {name: ray.put((bundle / name).read_bytes()) for name in names}

    def folder(self) -> Path:
        if all(self._has(name, size) for name, size in self._sizes.items()):
            return self._path
        copy = Path(tempfile.mkdtemp(prefix="bentoml-ray-"))
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        for name, reference in self._files.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(ray.get(reference))
        return copy

    def _has(self, name: Path, size: int) -> bool:
        with suppress(OSError):
            return (self._path / name).stat().st_size == size
        return False


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    if address:
        _check_reachable(address)
    else:
        for name, value in _OF_ITS_OWN:
            os.environ.setdefault(name, value)
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if not address else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as err:
        raise InvalidArgument(f"Cannot connect to Ray at '{address}': {err}") from err
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises `InvalidArgument` where nobody listens, which Ray would wait for without end."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # `auto`, and names that Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHABLE_S).close()
    except OSError as err:
        raise InvalidArgument(
            f"Cannot connect to Ray at '{address}': {err}; give the address of a cluster's head"
        ) from err


@contextmanager
def _context() -> Iterator[None]:
    """Ray Data's settings for this run: rows in order, no bars and notes of its own."""
    context = ray.data.DataContext.get_current()
    before = (
        context.execution_options.preserve_order,
        context.target_max_block_size,
        context.enable_progress_bars,
    )
    notes = logging.getLogger("ray.data")
    level = notes.level
    notes.setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "The minimum number of concurrent actors", UserWarning)
    context.execution_options.preserve_order = True
    context.target_max_block_size = _BLOCK_BYTES
    context.enable_progress_bars = False
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    try:
        yield
    finally:
        notes.setLevel(level)
        (
            context.execution_options.preserve_order,
            context.target_max_block_size,
            context.enable_progress_bars,
        ) = before


def _table(rows: list[tuple[int, bytes, bytes]]) -> Any:
    return pa.table(list(zip(*rows, strict=True)), schema=_SCHEMA)


def _rows(table: Any) -> Iterator[tuple[int, bytes, Any]]:
    for part, head, body in zip(*(table.column(name) for name in COLUMNS), strict=True):
        yield part.as_py(), head.as_py(), body.as_buffer()


def _plain_error(err: Exception) -> BentoMLException:
    """The message of this library's own errors, without Ray's layers around it."""
    cause: Any = err
    while cause is not None and not isinstance(cause, BentoMLException):
        cause = getattr(cause, "cause", None) or cause.__cause__
    return cause if cause is not None else BentoMLException(f"Ray could not finish the run: {err}")
