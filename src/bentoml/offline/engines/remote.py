"""What a process of a cluster does: load the service once, run chunks, and send finished rows back.

Chunks and finished rows travel as rows of a table with three columns, which every engine can carry:
the number of the part, a JSON head, and an Arrow stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bentoml.adapters.json_codec import dumps
from bentoml.bundle.load import load_from_dir
from bentoml.offline.kept import Keeper
from bentoml.offline.pieces import cut, finish
from bentoml.offline.planner import planner_for
from bentoml.offline.runner import BatchRunner, call_hook
from bentoml.offline.values import BadRow, Checkpoint, Chunk, Finished, Mode, Outcome

from .base import Plan
from .wire import pack_batch, unpack_batch

COLUMNS = ("part", "head", "batch")


@dataclass(frozen=True, slots=True)
class Order:
    """What a process has to know beside where the bundle is."""

    api_name: str
    mode: Mode
    keeper: Keeper
    batch_size: int | None
    memory_bytes: int

    @classmethod
    def of(cls, plan: Plan) -> Order:
        name, mode = plan.target.spec.name, plan.source.mode
        return cls(name, mode, plan.keeper, plan.batch_size, plan.memory_bytes)


class RemoteRunner:
    """A loaded service that turns chunks into finished rows."""

    def __init__(self, bundle: Path, order: Order, *, verify: bool) -> None:
        self._keeper = order.keeper
        self._service = load_from_dir(bundle, verify=verify)
        for hook in self._service.start_hooks:
            call_hook(hook)
        self._runner = BatchRunner(self._service.get_inference_api(order.api_name), order.mode)
        self._planner = planner_for(order.mode, order.batch_size, order.memory_bytes)

    def run(self, chunk: Chunk, skip: int | None) -> Iterator[Finished]:
        for piece in cut([chunk], self._planner, skip):
            outcome = self._runner.run(piece.batch) if piece.rows else Outcome(None, [], 0.0)
            self._planner.note(piece.rows, outcome.seconds, outcome.peak_bytes)
            yield finish(piece, outcome, self._keeper)

    def close(self) -> None:
        """Run the stop hooks."""
        self._runner.close()
        for hook in self._service.stop_hooks:
            call_hook(hook)


def pack_chunk(chunk: Chunk, skip: int | None, part: int) -> tuple[int, bytes, bytes]:
    head = {
        "position": chunk.position,
        "first_row": chunk.first_row,
        "offsets": None if chunk.offsets is None else list(chunk.offsets),
        "share": chunk.share,
        "skip": skip,
    }
    return part, _head(head, chunk.bad), pack_batch(chunk.batch)


def unpack_chunk(head: bytes, batch: Any) -> tuple[Chunk, int | None]:
    values = json.loads(head)
    skip = values.pop("skip")
    bad = _bad_rows(values.pop("bad"))
    return Chunk(batch=unpack_batch(batch), bad=bad, **values), skip


def pack_finished(finished: Finished, part: int) -> tuple[int, bytes, bytes]:
    reached = finished.reached
    head = {
        "rows": finished.rows,
        "position": reached.position,
        "skip": reached.skip,
        "share": finished.share,
    }
    body = b"" if finished.batch is None else pack_batch(finished.batch)
    return part, _head(head, finished.bad), body


def unpack_finished(head: bytes, body: Any) -> Finished:
    values = json.loads(head)
    reached = Checkpoint(values["position"], values["skip"])
    batch = unpack_batch(body) if len(body) else None
    return Finished(batch, values["rows"], _bad_rows(values["bad"]), reached, values["share"])


def _head(values: dict[str, Any], bad: Sequence[BadRow]) -> bytes:
    rows = [(row.row, row.reason, dumps(row.data).decode()) for row in bad]
    return json.dumps({**values, "bad": rows}).encode()


def _bad_rows(rows: Sequence[Any]) -> list[BadRow]:
    """The data stays the JSON text that it is."""
    return [BadRow(row, reason, orjson.Fragment(data)) for row, reason, data in rows]
