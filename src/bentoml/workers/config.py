"""What a worker is told when it starts, as one JSON message on its own channel."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class WorkerConfig:
    """Start-up orders of one worker process.

    Attributes:
        bundle_path: directory of the bundle to serve.
        routes: routes in the order of their index in CALL frames.
        limits: fields of `bentoml.adapters.limits.DecodeLimits`.
        prediction_log: file of the prediction log, None when it is off.
        prediction_data: whether it holds the bodies of requests and answers.
        log_level: level name for the `bentoml` logger.
        log_console: whether log lines go to stdout.
        log_file: the shared active.log, None when log files are off.
        log_advanced: a dictConfig that replaces all of that.
        warmup_batch: requests in the largest batch that is run with an API's example before the worker
            is ready; 0 for no warm-up.
        max_batch_rows: most rows in one call, instead of every API's own value.
        niceness: how much the process gives way to the front, see `priority`.
        keep_memory: whether freed memory stays with the process while it has work, see `allocator`.
    """

    bundle_path: str
    routes: tuple[str, ...]
    limits: dict[str, int] = field(default_factory=dict)
    prediction_log: str | None = None
    prediction_data: bool = True
    log_level: str = "INFO"
    log_console: bool = True
    log_file: str | None = None
    log_advanced: dict[str, Any] | None = None
    warmup_batch: int = 0
    max_batch_rows: int | None = None
    niceness: int = 0
    keep_memory: bool = True
    generation: int = 0
    index: int = 0

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> WorkerConfig:
        values: dict[str, Any] = json.loads(data)
        return cls(**{**values, "routes": tuple(values["routes"])})
