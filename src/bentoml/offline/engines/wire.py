"""Pieces and outcomes as bytes: a line of JSON, then an Arrow stream. Nothing is ever unpickled."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from bentoml.offline.values import Outcome

WORK, DONE = 32, 33  # beside the kinds of `workers.frames`


def pack_batch(batch: Any) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(buffer.getvalue())


def unpack_batch(data: memoryview | bytes) -> Any:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_next_batch()


def pack_outcome(outcome: Outcome) -> bytes:
    head = {"failed": outcome.failed, "seconds": outcome.seconds, "peak": outcome.peak_bytes}
    body = b"" if outcome.columns is None else pack_batch(outcome.columns)
    return json.dumps(head).encode() + b"\n" + body


def unpack_outcome(data: bytes) -> Outcome:
    head, _, body = data.partition(b"\n")
    values = json.loads(head)
    failed = [(place, reason) for place, reason in values["failed"]]
    return Outcome(unpack_batch(body) if body else None, failed, values["seconds"], values["peak"])
