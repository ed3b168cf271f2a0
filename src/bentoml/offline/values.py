"""What moves through an offline run: chunks out of a source, pieces to a worker, outcomes back.

A chunk is what a source reads at once, and begins at a position from which the source can read it
again. A piece is the part of a chunk that one call gets. Chunks depend on the input alone and
pieces on measured speed, so nothing that is written may depend on where pieces end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bentoml.exceptions import BentoMLException

Position: TypeAlias = "dict[str, Any]"  # JSON values that only its source understands
Mode = Literal["table", "lines", "files"]

JSON_TEXT = b"bentoml.json"  # field metadata: the texts of this column are JSON
CONTENT_TYPE = b"bentoml.content-type"  # field metadata: what the bytes of this column are
PREDICTION = "prediction"


class TooManyErrors(BentoMLException):
    """More rows failed than the run was told to accept."""


class InputChanged(BentoMLException):
    """An input or an option is not what it was when the job was started."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row without a prediction. `row` counts from 1; `data` is the row as far as it could be read."""

    row: int
    reason: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of a source.

    Attributes:
        position: where the source has to start to yield this very chunk again.
        first_row: how many rows come before it.
        batch: an Arrow record batch with the rows that could be read.
        offsets: place of each row of `batch` in the chunk; None when no row is missing.
        bad: rows of the chunk that could not be read.
        share: part of the whole input that is behind us after this chunk, None if unknown.
    """

    position: Position
    first_row: int
    batch: Any
    offsets: Sequence[int] | None = None
    bad: Sequence[BadRow] = ()
    share: float | None = None

    def row_number(self, place: int) -> int:
        """The number, from 1, of row `place` of `batch`."""
        return self.first_row + 1 + (place if self.offsets is None else self.offsets[place])


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows `start:stop` of a chunk's batch, for one call. The first piece of a chunk brings its bad rows.

    `share` is the part of the whole input that is behind us after it, None if unknown.
    """

    chunk: Chunk
    start: int
    stop: int
    share: float | None = None
    bad: Sequence[BadRow] = ()

    @property
    def batch(self) -> Any:
        return self.chunk.batch.slice(self.start, self.stop - self.start)

    @property
    def rows(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a piece.

    Attributes:
        columns: record batch with the predictions of the good rows, None when there are none.
        failed: place in the piece, and reason, of every other row.
        seconds: time of the call with its decoding and encoding.
        peak_bytes: largest resident size of the process so far.
    """

    columns: Any
    failed: Sequence[tuple[int, str]]
    seconds: float
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a job has come: `skip` rows of the chunk at `position` are done."""

    position: Position
    skip: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Consecutive rows of the input that are done.

    Attributes:
        batch: record batch with kept columns and predictions of the good rows, None when there are none.
        rows: how many rows they are, bad ones included.
        bad: those without a prediction, in order.
        reached: where a job goes on after them.
        share: part of the whole input that is behind us, None if unknown.
    """

    batch: Any
    rows: int
    bad: Sequence[BadRow]
    reached: Checkpoint
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run.

    Attributes:
        rows: rows read, failed ones included; of all runs of a job together.
        failed: rows without a prediction.
        resumed: rows that earlier runs of the same job had done.
        seconds: time of this run.
        output: where the predictions are, None for a table in memory.
        bad_rows: file with the failed rows, None when none failed.
        table: the predictions as a `pyarrow.Table` when no output was given, else None.
    """

    rows: int
    failed: int
    resumed: int
    seconds: float
    output: str | None
    bad_rows: Path | None = None
    table: Any = None

    @property
    def rows_per_s(self) -> float:
        return (self.rows - self.resumed) / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        text = f"{self.rows:,} rows in {self.seconds:.1f} s ({self.rows_per_s:,.0f} rows/s)"
        if self.resumed:
            text += f", {self.resumed:,} of them by earlier runs"
        text += f", {self.failed:,} failed"
        if self.bad_rows is not None:
            text += f" (see {self.bad_rows})"
        return text + (f"; written to {self.output}" if self.output else "")
