"""`bentoml.offline.run`: a source through an API into an output, on the engine of choice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

from bentoml.exceptions import FailedPrecondition, InvalidArgument

from .checkpoint import CHECKPOINT_S, Job
from .engines.base import Engine, Plan
from .kept import Keeper
from .locations import is_url
from .planner import MEMORY_BYTES
from .progress import Progress
from .registry import ENGINES
from .sinks.base import STDOUT, Sink
from .sinks.memory import TableSink
from .sinks.open import open_sink
from .sources.open import open_source
from .stopping import StopSignal
from .target import find_target
from .values import BadRow, Summary, TooManyErrors
from .writers import DirectWriter, JobWriter, Writer


def run(
    service: Any,
    api: str | None,
    source: Any,
    sink: Any = None,
    *,
    source_format: str | None = None,
    sink_format: str | None = None,
    keep: Sequence[str] = (),
    workers: int | None = None,
    job: str | os.PathLike[str] | None = None,
    max_errors: int | None = None,
    batch_size: int | None = None,
    bad_rows: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    memory_bytes: int = MEMORY_BYTES,
    checkpoint_s: float = CHECKPOINT_S,
    engine: str = "local",
    address: str | None = None,
    gpus: float = 0,
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
        workers: processes with one copy of the service each; by default one, or in a cluster one for
            each CPU.
        job: folder with the state of the run. The same call continues what an earlier one left.
        max_errors: rows that may fail before the run stops; None for any number.
        batch_size: rows in one call; by default it follows the measured speed.
        bad_rows: file for the rows that failed; by default beside the output, or in the job's folder.
        progress: show it on standard error; None does so, as a bar where there is a terminal.
        memory_bytes: how much a process may grow over its first call before calls get smaller.
        checkpoint_s: seconds of work of a job that a crash may cost.
        engine: `local`, `ray` or `spark`.
        address: of a Ray cluster, or a Spark master; by default one is started on this machine.
        gpus: GPUs that each copy of the service reserves on Ray.

    Raises:
        TooManyErrors: more than `max_errors` rows failed. What a job has done so far is kept.
        BentoMLException: the service, an input or an output is not what it should be.
    """
    _check_numbers(workers, max_errors, batch_size)
    started = monotonic()
    run_engine: Engine = ENGINES.load(engine)
    target = find_target(service, api)
    found = open_source(source, target.wanted(keep), format=source_format, takes_files=target.takes_files)
    target.check(found.mode)
    output = open_sink(sink, format=sink_format)
    names = list(keep) or (["path"] if found.mode == "files" else [])
    plan = Plan(
        target, found, Keeper(names, found.mode), workers, batch_size, memory_bytes, address, gpus
    )  # fmt: skip
    if job is None:
        writer: Writer = DirectWriter(output, _bad_row_path(bad_rows, sink))
    else:
        if sink is None:
            raise InvalidArgument("A job needs an output file; a table in memory would not outlive a crash")
        identity = {**target.identity, "input": found.identity(), "output": _name_of(sink), "keep": names}
        writer = _job_writer(output, Job(Path(job), identity, checkpoint_s), sink)
    try:
        if not writer.is_finished:
            shown = Progress(found.total_rows(), writer.rows, show=progress)
            _run_to_the_end(run_engine, plan, writer, max_errors, shown)
    finally:
        path = writer.close()
    table = output.table if isinstance(output, TableSink) else None
    name = None if sink is None else _name_of(sink)
    seconds = monotonic() - started
    return Summary(writer.rows, writer.failed, writer.resumed, seconds, name, path, table)


def _run_to_the_end(
    engine: Engine, plan: Plan, writer: Writer, max_errors: int | None, progress: Progress
) -> None:
    progress.failed = writer.failed
    try:
        _check_errors(writer, max_errors)
        with StopSignal() as stop, progress, closing(_started(engine, plan, writer)) as results:
            for finished in results:
                writer.add(finished)
                progress.advance(finished.rows, len(finished.bad), finished.share)
                _check_errors(writer, max_errors, finished.bad)
                stop.check()
        writer.complete()
    except BaseException:
        writer.abandon()
        raise


def _started(engine: Engine, plan: Plan, writer: Writer) -> Any:
    return engine(plan, writer.checkpoint, writer.rows)


def _check_errors(writer: Writer, most: int | None, latest: Sequence[BadRow] = ()) -> None:
    if most is None or writer.failed <= most:
        return
    last = f"; one of them is row {latest[0].row}: {latest[0].reason}" if latest else ""
    raise TooManyErrors(
        f"Stopped after {writer.failed} failed {'row' if writer.failed == 1 else 'rows'}, which is "
        f"more than --max-errors {most}{last}"
    )


def _job_writer(output: Sink, job: Job, sink: Any) -> JobWriter:
    """Raises `FailedPrecondition` for a finished job without output: it has no predictions any more."""
    name = _name_of(sink)
    if job.is_finished and _is_local_file(sink) and not os.path.exists(name):
        job.close()
        raise FailedPrecondition(
            f"The job in '{job.folder}' was finished and its output is gone; use another --job folder "
            f"to run it again"
        )
    return JobWriter(output, job)


def _bad_row_path(bad_rows: str | os.PathLike[str] | None, sink: Any) -> Path | None:
    if bad_rows is not None:
        return Path(bad_rows)
    if not _is_local_file(sink):
        return None
    path = Path(sink)
    return path.with_name(f"{path.name}.bad-rows.jsonl")


def _is_local_file(sink: Any) -> bool:
    return isinstance(sink, (str, os.PathLike)) and os.fspath(sink) != STDOUT and not is_url(os.fspath(sink))


def _name_of(sink: Any) -> str:
    if not isinstance(sink, (str, os.PathLike)):
        return str(sink)
    name = os.fspath(sink)
    return os.path.abspath(name) if _is_local_file(sink) else name


def _check_numbers(workers: int | None, max_errors: int | None, batch_size: int | None) -> None:
    for name, value, least in (
        ("workers", workers, 1),
        ("batch size", batch_size, 1),
        ("max errors", max_errors, 0),
    ):
        if value is not None and value < least:
            raise InvalidArgument(f"The number of {name} is {value}; it must be {least} or more")
