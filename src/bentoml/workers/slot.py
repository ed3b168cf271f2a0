"""Places for workers and the processes in them."""

from __future__ import annotations

from .link import WorkerLink
from .process import WorkerProcess

STARTING, READY, GONE, STOPPED = "starting", "ready", "restarting", "stopped"


class Child:
    """One worker process and our end of its channel.

    Attributes:
        reason: why it ends, when we know before it does.
        load_raised: the service raised while it was loaded, and the worker said what.
        seen_dead: the process has ended, though its channel is open.
        stop_sent_at: when a retired worker was told to stop; 0 before that.
    """

    def __init__(self, process: WorkerProcess, started_at: float) -> None:
        self.process = process
        self.link: WorkerLink | None = None
        self.started_at = started_at
        self.reason = ""
        self.load_raised = False
        self.stop_sent_at = 0.0
        self.seen_dead = False

    @property
    def pid(self) -> int:
        return self.process.pid


class Slot:
    """One place for a worker; the process in it is replaced when it dies, or when it is worn out.

    Attributes:
        child: the process that serves, or that loads in order to.
        successor: loads while `child` still serves, and takes its place when it is ready.
        retired: served here before, and finish what they hold.
        recycled: how often a successor took over.
        recycle_after: no successor is started before then (monotonic seconds).
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.state = STARTING
        self.child: Child | None = None
        self.successor: Child | None = None
        self.retired: list[Child] = []
        self.started_at = 0.0
        self.ready_at = 0.0
        self.failures = 0
        self.failed_loads = 0
        self.restarts = 0
        self.recycled = 0
        self.recycle_after = 0.0
        self.awaits_successor = False

    @property
    def children(self) -> list[Child]:
        """Every process of this slot."""
        found = [self.child, self.successor, *self.retired]
        return [child for child in found if child is not None]
