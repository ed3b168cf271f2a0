"""What an operator is: the one interface between a deployment that is wanted and whatever runs it.

An operator knows nothing of databases and callers. It gets what is wanted and its own data of last time
(`data`, plain JSON, kept for it), and answers with what is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

PENDING, RUNNING, ERROR = "PENDING", "RUNNING", "ERROR"
CRASH_LOOP, UNKNOWN, INACTIVATED = "CRASH_LOOP_BACK_OFF", "UNKNOWN", "INACTIVATED"
CREATE, UPDATE, RESTART, NOTHING = "create", "update", "restart", "nothing"

Data = dict[str, Any]
Files = Callable[[], AbstractContextManager[Path]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment as it was asked for.

    Attributes:
        files: opens the bundle's directory, for as long as the context lasts.
        config: the operator's own options, as given.
    """

    namespace: str
    name: str
    bento_name: str
    bento_version: str
    config: Mapping[str, Any]
    files: Files

    @property
    def tag(self) -> str:
        return f"{self.bento_name}:{self.bento_version}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying would do."""

    action: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """A deployment as it is.

    Attributes:
        state: a name of the protocol's `DeploymentState.State`.
        info: what users want to know: `endpoints`, `restarts`, ….
        drift: how what runs differs from what is wanted, one sentence each.
    """

    state: str
    error_message: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    drift: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counters:
    """What a service has done since it started, from its `/metrics`, and what its processes use.

    Attributes:
        buckets: answers that took at most so many seconds, as pairs that grow.
        cpu_s: seconds of CPU of its processes; None where they cannot be looked at.
        memory_bytes: what its processes hold, shared pages counted once.
    """

    requests: float = 0.0
    errors: float = 0.0
    seconds: float = 0.0
    in_progress: float = 0.0
    queued: float = 0.0
    workers: float = 0.0
    buckets: tuple[tuple[float, float], ...] = ()
    cpu_s: float | None = None
    memory_bytes: float | None = None


class Operator(Protocol):
    """Runs deployments on one platform."""

    def plan(self, wanted: Wanted, data: Data) -> Plan:
        """What `apply` would do; changes nothing. Raises `InvalidArgument` if `config` is wrong."""
        ...

    def apply(self, wanted: Wanted, data: Data, *, restart: bool = False) -> Data:
        """Bring about what is wanted, or start to; returns the data for next time.

        Args:
            restart: begin anew even if nothing changed.
        """
        ...

    def describe(self, wanted: Wanted, data: Data) -> Observed:
        """What is there now."""
        ...

    def resume(self, wanted: Wanted, data: Data) -> Data:
        """After a start of the server: find again what runs, and start what does not."""
        ...

    def logs(self, wanted: Wanted, data: Data, lines: int) -> Sequence[str]:
        """The last lines, oldest first."""
        ...

    def metrics(self, wanted: Wanted, data: Data) -> Counters | None:
        """Counters of the running service, or None if it does not answer."""
        ...

    def delete(self, wanted: Wanted, data: Data) -> None:
        """End it without losing a request, and remove what belongs to it."""
        ...

    def suspend(self, wanted: Wanted, data: Data) -> None:
        """End it because this machine's server ends; `resume` brings it back."""
        ...
