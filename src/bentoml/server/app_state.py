"""What the web application needs to know about the server it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bentoml.batching.stats import ApiStats
from bentoml.bundle.descriptor import BundleDescriptor
from bentoml.settings import Settings


class AppState(Protocol):
    """The running server as its pages see it; `server.state.ServerState` is the real one.

    Everything is read when a request needs it, because a reload replaces the service behind it.
    """

    settings: Settings
    metrics_dir: Path | None  # where workers leave the metrics of service code

    @property
    def descriptor(self) -> BundleDescriptor: ...

    @property
    def bundle_path(self) -> Path: ...

    @property
    def stats(self) -> Mapping[str, ApiStats]:
        """Counters by prediction route."""
        ...

    @property
    def readme(self) -> str:
        """The class docstring of the loaded service, Markdown; `""` until it is loaded."""
        ...

    def openapi(self) -> Mapping[str, Any] | None:
        """The document of the loaded service; None until it is loaded."""
        ...

    def is_ready(self) -> tuple[bool, str]:
        """Whether a prediction sent now would be served, and if not, why."""
        ...

    @property
    def rejected(self) -> dict[int, int]:
        """Requests refused for their head or framing, by status."""

    def worker_table(self) -> Sequence[Mapping[str, Any]]:
        """One row a worker, with `state` and `restarts`."""
        ...

    def queue_table(self) -> Sequence[Mapping[str, Any]]:
        """One row an API, with `route`, `waiting`, `oldest_s`, `cost_fixed_s`, `cost_per_request_s`
        and `batches_seen`; what else is there is shown on the debug page.
        """
        ...

    def prediction_methods(self, route: str) -> tuple[str, ...] | None:
        """Methods of a prediction route; None when there is no such route."""
        ...

    async def predict(
        self, route: str, raw_head: bytes, body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, header fields and body for one request; cancelling it takes it out of the queue."""
        ...
