"""Where finished rows go: straight into the output, or into the parts of a job first."""

from __future__ import annotations

from pathlib import Path

from .badrows import BadRowFile
from .checkpoint import Job
from .sinks.base import Sink
from .values import Checkpoint, Finished


class Writer:
    """Takes finished rows in order. After `add`s comes either `complete` or `abandon`.

    Attributes:
        rows: rows that are done, those of earlier runs of the job included.
        failed: how many of them got no prediction.
        resumed: how many of them earlier runs did.
        checkpoint: where the run begins, None for the beginning.
        is_finished: an earlier run did everything.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.rows = 0
        self.failed = 0
        self.resumed = 0
        self.checkpoint: Checkpoint | None = None
        self.is_finished = False

    def add(self, finished: Finished) -> None:
        self.rows += finished.rows
        self.failed += len(finished.bad)

    def complete(self) -> None:
        """All rows are there: make the output visible."""
        self.sink.finish()

    def abandon(self) -> None:
        """The run ends early."""
        self.sink.abort()

    def close(self) -> Path | None:
        """The file of bad rows, if there is one."""
        return None


class DirectWriter(Writer):
    """Straight into the output."""

    def __init__(self, sink: Sink, bad_rows: Path | None) -> None:
        super().__init__(sink)
        sink.prepare(replace=False)
        self._bad = BadRowFile(bad_rows) if bad_rows else None

    def add(self, finished: Finished) -> None:
        super().add(finished)
        if finished.batch is not None:
            self.sink.write(finished.batch)
        if self._bad is not None:
            self._bad.write(finished.bad)

    def close(self) -> Path | None:
        return self._bad.close() if self._bad else None


class JobWriter(Writer):
    """Into the parts of a job, and from there into the output at the end."""

    def __init__(self, sink: Sink, job: Job) -> None:
        super().__init__(sink)
        self._job = job
        self.rows = self.resumed = job.rows
        self.failed = job.failed
        self.is_finished = job.is_finished
        self.checkpoint = job.checkpoint
        if not job.is_finished:
            try:
                sink.prepare(replace=job.has_begun_output)
            except BaseException:
                job.close()
                raise

    def add(self, finished: Finished) -> None:
        super().add(finished)
        self._job.add(finished)

    def complete(self) -> None:
        self._job.complete(self.sink)

    def abandon(self) -> None:
        super().abandon()
        self._job.commit()

    def close(self) -> Path | None:
        self._job.close()
        return self._job.bad_rows
