"""The run itself: pieces from a source through an executor, in order, into an output or a job."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import Any

from bentoml.exceptions import FailedPrecondition, InvalidArgument

from .badrows import BadRowFile
from .cells import row_data
from .checkpoint import CHECKPOINT_S, Job
from .executors import Executor
from .kept import Keeper
from .locations import is_url
from .planner import MEMORY_BYTES, BatchPlanner
from .progress import Progress
from .sinks.base import STDOUT, Sink
from .sinks.memory import TableSink
from .sinks.open import open_sink
from .sources.base import Source
from .sources.open import open_source
from .stopping import StopSignal
from .target import find_target
from .values import BadRow, Checkpoint, Outcome, Piece, Summary, TooManyErrors


def run(
    service: Any,
    api: str | None,
    source: Any,
    sink: Any = None,
    *,
    source_format: str | None = None,
    sink_format: str | None = None,
    keep: Sequence[str] = (),
    workers: int = 1,
    job: str | os.PathLike[str] | None = None,
    max_errors: int | None = None,
    batch_size: int | None = None,
    bad_rows: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    memory_bytes: int = MEMORY_BYTES,
    checkpoint_s: float = CHECKPOINT_S,
) -> Summary:
    """Run every row of `source` through an API and write one prediction per row to `sink`, in order.

    Args:
        service: a `BentoService`, or the directory or `Name:version` of a saved one.
        api: name of the API; None for the first one.
        source: path, glob, folder or URL, or several of them; `-` for standard input; an `SqlQuery`;
            a data frame or an Arrow table.
        sink: path or URL, `-` for standard output, an `SqlTable`, or a folder ending with `/`; None
            returns a table in memory, as `Summary.table`.
        source_format: `csv`, `tsv`, `jsonl`, `text`, `parquet`, `arrow` or `files`, where the ending
            of a file does not tell it.
        sink_format: the same for the output.
        keep: input columns written beside the prediction; `*` keeps all.
        workers: processes with one copy of the service each.
        job: folder with the state of the run. The same call continues what an earlier one left.
        max_errors: rows that may fail before the run stops; None for any number.
        batch_size: rows in one call; by default it follows the measured speed.
        bad_rows: file for the rows that failed; by default beside the output, or in the job's folder.
        progress: show it on standard error; None does so, as a bar where there is a terminal.
        memory_bytes: how much a process may grow over its first call before calls get smaller.
        checkpoint_s: seconds of work of a job that a crash may cost.

    Raises:
        TooManyErrors: more than `max_errors` rows failed. What a job has done so far is kept.
        BentoMLException: the service, an input or an output is not what it should be.
    """
    _check_numbers(workers, max_errors, batch_size)
    started = monotonic()
    target = find_target(service, api)
    found = open_source(source, target.wanted(keep), format=source_format, takes_files=target.takes_files)
    output = open_sink(sink, format=sink_format)
    names = list(keep) or (["path"] if found.mode == "files" else [])
    keeper = Keeper(names, found.mode)
    planner = BatchPlanner(batch_size, memory_bytes=memory_bytes)
    if job is None:
        output.prepare(resumed=False)
        writer: _Writer = _Direct(output, _bad_row_path(bad_rows, sink))
    else:
        if sink is None:
            raise InvalidArgument("A job needs an output file; a table in memory would not outlive a crash")
        identity = {**target.identity, "input": found.identity(), "output": _name_of(sink), "keep": names}
        writer = _InJob(Job(Path(job), identity, checkpoint_s), output)
        if writer.finished:
            _check_output(writer, sink, job)
    try:
        if not writer.finished:
            _Run(found, keeper, planner, writer, max_errors, progress).go(
                lambda mode: target.executor(mode, workers)
            )
    finally:
        path = writer.close()
    table = output.table if isinstance(output, TableSink) else None
    name = None if sink is None else _name_of(sink)
    seconds = monotonic() - started
    return Summary(writer.rows, writer.failed, writer.resumed, seconds, name, path, table)


class _Run:
    """One pass over what is left of a source."""

    def __init__(
        self,
        source: Source,
        keeper: Keeper,
        planner: BatchPlanner,
        writer: _Writer,
        max_errors: int | None,
        progress: bool | None,
    ) -> None:
        self._source = source
        self._keeper = keeper
        self._planner = planner
        self._writer = writer
        self._max_errors = max_errors
        self._progress = Progress(source.total_rows(), writer.rows, show=progress)
        self._progress.failed = writer.failed

    def go(self, make_executor: Any) -> None:
        self._check_errors()
        executor: Executor = make_executor(self._source.mode)
        try:
            with StopSignal() as stop, self._progress:
                self._pump(executor, stop)
            self._writer.complete()
        except BaseException:
            self._writer.abandon()
            raise
        finally:
            executor.close()

    def _pump(self, executor: Executor, stop: StopSignal) -> None:
        window: deque[tuple[Piece, Future[Outcome]]] = deque()
        for piece in pieces(self._source, self._planner, self._writer.checkpoint):
            window.append((piece, executor.submit(piece)))
            while len(window) > executor.depth or (window and window[0][1].done()):
                self._finish(*window.popleft())
                stop.check()
        while window:
            self._finish(*window.popleft())
            stop.check()

    def _finish(self, piece: Piece, future: Future[Outcome]) -> None:
        outcome = future.result()
        self._planner.note(piece.rows, outcome.seconds, outcome.peak_bytes)
        batch = piece.batch
        bad = [*piece.bad, *_failed_rows(piece, batch, outcome)]
        bad.sort(key=lambda row: row.row)
        rows = piece.rows + len(piece.bad)
        reached = Checkpoint(piece.chunk.position, piece.stop)
        self._writer.add(self._keeper.output(batch, outcome), rows, bad, reached)
        self._progress.advance(rows, len(bad), piece.chunk.share)
        self._check_errors(bad)

    def _check_errors(self, latest: Sequence[BadRow] = ()) -> None:
        if self._max_errors is None or self._writer.failed <= self._max_errors:
            return
        last = f"; one of them is row {latest[0].row}: {latest[0].reason}" if latest else ""
        raise TooManyErrors(
            f"Stopped after {self._writer.failed} failed rows, which is more than --max-errors "
            f"{self._max_errors}{last}"
        )


def pieces(source: Source, planner: BatchPlanner, start: Checkpoint | None) -> Iterator[Piece]:
    """What is left of a source, cut as the planner says at that moment."""
    skip = start.skip if start else 0
    is_first = start is not None
    for chunk in source.chunks(start.position if start else None):
        count = chunk.batch.num_rows
        begin, bad = (skip, []) if is_first else (0, list(chunk.bad))
        is_first = False
        if begin >= count and bad:
            yield Piece(chunk, count, count, bad)
        while begin < count:
            size = planner.rows
            end = count if count - begin < size + size // 2 else begin + size
            yield Piece(chunk, begin, end, bad)
            begin, bad = end, []


def _failed_rows(piece: Piece, batch: Any, outcome: Outcome) -> list[BadRow]:
    return [
        BadRow(piece.chunk.row_number(piece.start + place), reason, _data(batch, place))
        for place, reason in outcome.failed
    ]


def _data(batch: Any, place: int) -> Any:
    if batch.schema.names == ["line"]:
        return batch.column(0)[place].as_py().decode("utf-8", "replace")
    return row_data(batch, place)


class _Writer:
    """Where finished rows go. `rows` and `failed` count all that is done, earlier runs included."""

    finished = False
    resumed = 0
    checkpoint: Checkpoint | None = None

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.rows = 0
        self.failed = 0

    def add(self, batch: Any, rows: int, bad: list[BadRow], reached: Checkpoint) -> None:
        self.rows += rows
        self.failed += len(bad)

    def complete(self) -> None:
        """All rows are there: make the output visible."""
        self.sink.finish()

    def abandon(self) -> None:
        """The run ends early."""
        self.sink.abort()

    def close(self) -> Path | None:
        """The file of bad rows, if there is one."""
        return None


class _Direct(_Writer):
    """Straight into the output."""

    def __init__(self, sink: Sink, bad_rows: Path | None) -> None:
        super().__init__(sink)
        self._bad = BadRowFile(bad_rows) if bad_rows else None

    def add(self, batch: Any, rows: int, bad: list[BadRow], reached: Checkpoint) -> None:
        super().add(batch, rows, bad, reached)
        if batch is not None:
            self.sink.write(batch)
        if self._bad is not None:
            self._bad.write(bad)

    def close(self) -> Path | None:
        return self._bad.close() if self._bad else None


class _InJob(_Writer):
    """Into the parts of a job, and from there into the output at the end."""

    def __init__(self, job: Job, sink: Sink) -> None:
        super().__init__(sink)
        self._job = job
        self.rows = self.resumed = job.rows
        self.failed = job.failed
        self.finished = job.finished
        self.checkpoint = job.checkpoint
        if not job.finished:
            try:
                sink.prepare(resumed=job.resumed)
            except BaseException:
                job.close()
                raise

    def add(self, batch: Any, rows: int, bad: list[BadRow], reached: Checkpoint) -> None:
        super().add(batch, rows, bad, reached)
        self._job.add(batch, rows, bad, reached)

    def complete(self) -> None:
        self._job.complete(self.sink)

    def abandon(self) -> None:
        super().abandon()
        self._job.commit()

    def close(self) -> Path | None:
        self._job.close()
        return self._job.bad_rows


def _check_output(writer: _Writer, sink: Any, job: str | os.PathLike[str]) -> None:
    """A finished job has no predictions of its own any more. Raises `FailedPrecondition`."""
    name = _name_of(sink)
    is_file = isinstance(sink, (str, os.PathLike)) and name != STDOUT and not is_url(name)
    if is_file and not os.path.exists(name):
        writer.close()
        raise FailedPrecondition(
            f"The job in '{os.fspath(job)}' was finished and its output is gone; use another --job folder "
            f"to run it again"
        )


def _bad_row_path(bad_rows: str | os.PathLike[str] | None, sink: Any) -> Path | None:
    if bad_rows is not None:
        return Path(bad_rows)
    is_file = isinstance(sink, (str, os.PathLike)) and os.fspath(sink) != STDOUT and not is_url(str(sink))
    if not is_file:
        return None
    path = Path(sink)
    return path.with_name(f"{path.name}.bad-rows.jsonl")


def _name_of(sink: Any) -> str:
    if not isinstance(sink, (str, os.PathLike)):
        return str(sink)
    name = os.fspath(sink)
    return name if name == STDOUT or is_url(name) else os.path.abspath(name)


def _check_numbers(workers: int, max_errors: int | None, batch_size: int | None) -> None:
    for name, value, least in (
        ("workers", workers, 1),
        ("batch size", batch_size, 1),
        ("max errors", max_errors, 0),
    ):
        if value is not None and value < least:
            raise InvalidArgument(f"The number of {name} is {value}; it must be {least} or more")
