"""A job folder: what is done is on disk, in parts, and a part counts from the moment it has its note.

A part is an Arrow file with predictions, a file of bad rows, and a note that says which rows they
are and where the source goes on. The note is renamed into place last, so after a crash there is
either the whole part or none of it. The output is written from the parts when all are there; if
that is cut short, it is written again from the beginning.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa

from bentoml.exceptions import LockUnavailable
from bentoml.repository.durable import make_directory, sync_directory, sync_file
from bentoml.repository.locks import FileLock

from .badrows import bad_row_line
from .sinks.base import Sink
from .values import BadRow, Checkpoint, Finished, InputChanged

CHECKPOINT_S = 5.0
BAD_ROWS = "bad-rows.jsonl"
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class _Note:
    """What a finished part holds. `position` and `skip` say where the job goes on."""

    rows: int
    failed: int
    position: dict[str, Any]
    skip: int


class Job:
    """The state of one job. Only one process has it at a time.

    Args:
        folder: made if it does not exist.
        identity: JSON of everything that has to be the same when the job goes on.
        checkpoint_s: seconds of work that a crash may cost.

    Raises:
        LockUnavailable: another process runs this job.
        InputChanged: the folder belongs to another job, or the input was changed.

    Attributes:
        is_finished: whether an earlier run has completed it.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], checkpoint_s: float = CHECKPOINT_S) -> None:
        self.folder = folder
        self._parts = folder / "parts"
        self._checkpoint_s = checkpoint_s
        make_directory(self._parts)
        self._lock = FileLock(folder / "lock")
        if not self._lock.try_acquire():
            raise LockUnavailable(
                f"Another process is running the job in '{folder}'; wait until it has ended"
            )
        try:
            self._check(identity)
            self._notes = self._read_notes()
        except BaseException:
            self._lock.release()
            raise
        self.is_finished = (folder / "finished.json").is_file()
        self._writer: Any = None
        self._bad: list[BadRow] = []
        self._rows = 0
        self._last: Checkpoint | None = None
        self._began = monotonic()

    @property
    def rows(self) -> int:
        """Rows in finished parts, failed ones included."""
        return sum(note.rows for note in self._notes)

    @property
    def failed(self) -> int:
        return sum(note.failed for note in self._notes)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where to go on, None at the beginning."""
        return Checkpoint(self._notes[-1].position, self._notes[-1].skip) if self._notes else None

    @property
    def has_begun_output(self) -> bool:
        """Whether what is at the place of the output may be the beginning that a crash left."""
        return self._output_note.is_file()

    @property
    def bad_rows(self) -> Path | None:
        path = self.folder / BAD_ROWS
        return path if path.is_file() else None

    def add(self, finished: Finished) -> None:
        """Take the next rows of the input."""
        batch = finished.batch
        if batch is not None and batch.num_rows:
            if self._writer is not None and not self._writer.schema.equals(batch.schema, check_metadata=True):
                self.commit()
            if self._writer is None:
                self._writer = _PartWriter(self._path(".arrow"), batch.schema)
            self._writer.write(batch)
        self._bad += finished.bad
        self._rows += finished.rows
        self._last = finished.reached
        if monotonic() - self._began >= self._checkpoint_s:
            self.commit()

    def commit(self) -> None:
        """Make a part of what was added since the last one. It is on disk when this returns."""
        if self._last is None:
            return
        if self._writer is not None:
            self._writer.close()
        if self._bad:
            _write(self._path(".bad"), b"".join(map(bad_row_line, self._bad)))
        note = _Note(self._rows, len(self._bad), self._last.position, self._last.skip)
        self._put(self._path(".json"), {f: getattr(note, f) for f in _Note.__slots__})
        self._notes.append(note)
        self._writer, self._bad, self._rows, self._last = None, [], 0, None
        self._began = monotonic()

    def complete(self, sink: Sink) -> None:
        """Write the output from all parts, and the file of bad rows; then the job is finished."""
        self.commit()
        sink.expect(self._batches())
        self._put(self._output_note, {"rows": self.rows})
        for batch in self._batches():
            sink.write(batch)
        self._write_bad_rows()
        sink.finish()
        self._put(self.folder / "finished.json", {"rows": self.rows, "failed": self.failed})
        for number in range(len(self._notes)):
            with contextlib.suppress(FileNotFoundError):
                self._path(".arrow", number).unlink()

    def close(self) -> None:
        """Let others have the job; what was not committed is done again by the next run."""
        if self._writer is not None:
            self._writer.close()
        self._lock.release()

    @property
    def _output_note(self) -> Path:
        return self.folder / "output-begun.json"

    def _check(self, identity: dict[str, Any]) -> None:
        """Compare with what the first run wrote down."""
        path = self.folder / "job.json"
        mine = json.loads(json.dumps({"format": _FORMAT, **identity}))
        if not path.is_file():
            self._put(path, mine)
            return
        theirs = json.loads(path.read_text("utf-8"))
        for key in {**theirs, **mine}:
            if theirs.get(key) != mine.get(key):
                raise InputChanged(
                    f"The job in '{self.folder}' was started with another {key}: {_shown(theirs.get(key))}, "
                    f"now {_shown(mine.get(key))}. Give the same one, or another --job folder for a new job"
                )

    def _read_notes(self) -> list[_Note]:
        """Notes of the finished parts; files without a note are what a crash left."""
        notes: list[_Note] = []
        while (path := self._path(".json", len(notes))).is_file():
            notes.append(_Note(**json.loads(path.read_text("utf-8"))))
        for path in self._parts.iterdir():
            number = path.name.partition(".")[0]
            if not number.isdecimal() or int(number) >= len(notes) or path.suffix == ".tmp":
                path.unlink()
        return notes

    def _batches(self) -> Iterator[Any]:
        for number in range(len(self._notes)):
            path = self._path(".arrow", number)
            if path.is_file():
                with pa.memory_map(str(path)) as mapped, pa.ipc.open_stream(mapped) as reader:
                    yield from reader

    def _write_bad_rows(self) -> None:
        found = [self._path(".bad", number) for number in range(len(self._notes))]
        found = [path for path in found if path.is_file()]
        if found:
            temporary = self.folder / f"{BAD_ROWS}.tmp"
            with open(temporary, "wb") as stream:
                for path in found:
                    stream.write(path.read_bytes())
            os.replace(temporary, self.folder / BAD_ROWS)

    def _path(self, suffix: str, number: int | None = None) -> Path:
        return self._parts / f"{len(self._notes) if number is None else number:06d}{suffix}"

    def _put(self, path: Path, values: dict[str, Any]) -> None:
        temporary = path.with_name(f"{path.name}.tmp")
        _write(temporary, json.dumps(values, indent=1).encode())
        os.replace(temporary, path)
        sync_directory(path.parent)


class _PartWriter:
    """One Arrow stream in a file."""

    def __init__(self, path: Path, schema: Any) -> None:
        self.schema = schema
        self._path = path
        self._file = open(path, "wb")  # noqa: SIM115 - closed by close
        self._writer = pa.ipc.new_stream(self._file, schema)

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()
        self._file.close()
        sync_file(self._path)


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
