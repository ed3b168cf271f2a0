"""Spark: each split is a small job of `mapInPandas`, several at a time, their rows in order.

A Python worker of Spark keeps the service it has loaded, so it is loaded once in each, not for each
split. An input that cannot be split is read here and its chunks are sent out.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyspark import SparkFiles
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.offline.sources.base import Chain
from bentoml.offline.sources.splits import Placer, Split, chunk_splits, splits_of
from bentoml.offline.values import Checkpoint, Finished

from .base import Plan
from .remote import COLUMNS, Order, RemoteRunner, pack_finished, unpack_finished

_SCHEMA = ", ".join(
    f"{name} {kind}" for name, kind in zip(COLUMNS, ("long", "binary", "binary"), strict=True)
)
_loaded: dict[str, RemoteRunner] = {}


def run_on_spark(plan: Plan, start: Checkpoint | None, done: int) -> Iterator[Finished]:
    """See `base.Engine`. Uses the active Spark session where there is one."""
    bundle = plan.target.saved("the Spark engine")
    placer = Placer(plan.source, start, done)
    session, is_ours = _session(plan)
    order = Order.of(plan)
    count = session.sparkContext.defaultParallelism
    try:
        with _sent(session, bundle) as name, ThreadPoolExecutor(count) as pool:
            window: deque[Future[list[Any]]] = deque()
            for split in _splits(plan, start):
                window.append(pool.submit(_run_split, session, split, name, order))
                if len(window) > 2 * count:
                    yield from _placed(window.popleft(), placer)
            while window:
                yield from _placed(window.popleft(), placer)
    finally:
        if is_ours:
            session.stop()


def _session(plan: Plan) -> tuple[Any, bool]:
    active = SparkSession.getActiveSession()
    if active is not None:
        return active, False
    master = plan.address or os.environ.get("SPARK_MASTER") or f"local[{plan.workers or '*'}]"
    try:
        builder: Any = SparkSession.builder
        builder = builder.appName("bentoml").master(master).config("spark.ui.showConsoleProgress", "false")
        if master.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        return builder.getOrCreate(), True
    except Exception as err:  # whatever the gateway to the JVM raises
        raise InvalidArgument(f"Cannot start Spark with the master '{master}': {err}") from err


@contextmanager
def _sent(session: Any, bundle: Path) -> Iterator[str]:
    """Give the bundle to every machine, which fetches it when it needs it.

    Yields the name it has there, which no other run uses.
    """
    name = f"bentoml-{uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(bundle, Path(folder) / name, copy_function=_link_or_copy)
        session.sparkContext.addFile(str(copy), recursive=True)
        yield name


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _splits(plan: Plan, start: Checkpoint | None) -> Iterator[Split]:
    found = splits_of(plan.source, start)
    first = list(islice(found, 2))
    if len(first) == 1 and not isinstance(plan.source, Chain) and first[0].skip is None:
        return chunk_splits(plan.source, start.position if start else None)
    return chain(first, found)


def _run_split(session: Any, split: Split, bundle: str, order: Order) -> list[Any]:
    frame = session.range(1, numPartitions=1)
    rows: list[Any] = frame.mapInPandas(_task(split, bundle, order), _SCHEMA).collect()
    return rows


def _placed(future: Future[list[Any]], placer: Placer) -> Iterator[Finished]:
    try:
        rows = future.result()
    except PySparkException as err:
        raise BentoMLException(f"Spark could not finish the run: {err}") from err
    for row in rows:
        yield placer.place(unpack_finished(bytes(row["head"]), bytes(row["batch"])), row["part"])


def _task(split: Split, bundle: str, order: Order) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """What a Python worker of Spark does with its one row."""

    def task(frames: Iterator[Any]) -> Iterator[Any]:
        import pandas  # noqa: PLC0415 - in the worker

        for _ in frames:
            runner = _runner(bundle, order)
            for chunk, skip in split.chunks():
                for finished in runner.run(chunk, skip):
                    yield pandas.DataFrame([pack_finished(finished, split.part)], columns=list(COLUMNS))

    return task


def _runner(bundle: str, order: Order) -> RemoteRunner:
    """The service of this run, loaded on the first call in a process; that of an earlier run goes."""
    if bundle not in _loaded:
        for name in list(_loaded):
            _loaded.pop(name).close()
        _loaded[bundle] = RemoteRunner(Path(SparkFiles.get(bundle)), order, verify=True)
    return _loaded[bundle]
