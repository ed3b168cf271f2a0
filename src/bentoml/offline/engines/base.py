"""What every engine is: a function from what is left of a source to finished rows, in order.

Reading, output, jobs, bad rows and progress are the same for all engines. An engine says only where
the model runs and how rows get there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bentoml.offline.kept import Keeper
from bentoml.offline.sources.base import Source
from bentoml.offline.target import Target
from bentoml.offline.values import Checkpoint, Finished


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine is told.

    Attributes:
        target: the API, and where its service is.
        source: what to read.
        keeper: puts the output together.
        workers: copies of the service, None where the engine is to choose.
        batch_size: rows in one call, None to adapt.
        memory_bytes: how much a process may grow over its first call before calls get smaller.
        address: of the cluster, None for this machine.
        gpus: GPUs that each copy of the service reserves in a cluster.
    """

    target: Target
    source: Source
    keeper: Keeper
    workers: int | None
    batch_size: int | None
    memory_bytes: int
    address: str | None = None
    gpus: float = 0


class Engine(Protocol):
    """A generator function. Closing the generator ends what it started."""

    def __call__(self, plan: Plan, start: Checkpoint | None, done: int) -> Iterator[Finished]:
        """Yield finished rows in the order of the input.

        Args:
            start: where to go on, None at the beginning.
            done: rows of the input that come before that.
        """
        ...
