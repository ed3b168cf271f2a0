"""What a finished span is, before any exporter gives it a format."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

AttributeValue = str | int | float | bool

_random = Random().getrandbits  # of its own, so that nobody else's seed repeats ids


class TraceContext(NamedTuple):
    """The identity of a span, as it travels in header fields.

    Attributes:
        trace_id: 128 bits, of which a Zipkin client may use 64; never 0.
        span_id: 64 bits; never 0.
        state: the `tracestate` of the trace, passed on as it came.
    """

    trace_id: int
    span_id: int
    state: str = ""

    @property
    def trace_hex(self) -> str:
        """32 digits."""
        return f"{self.trace_id:032x}"

    @property
    def span_hex(self) -> str:
        """16 digits."""
        return f"{self.span_id:016x}"


@dataclass(slots=True)
class Span:
    """One finished span. Times are nanoseconds of the wall clock.

    Attributes:
        parent_id: span id of the parent, None for the first span of a trace.
        is_server: it stands for a request that came over the network.
        links: spans of other traces, or of other branches, that it belongs to.
        error: what went wrong, `""` if nothing did.
    """

    name: str
    context: TraceContext
    parent_id: int | None
    start_ns: int
    end_ns: int
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    is_server: bool = False
    links: tuple[TraceContext, ...] = ()
    error: str = ""


class ExportFailed(Exception):
    """A collector did not take spans; the text says why, in one line."""


class Exporter(Protocol):
    """Sends spans to one collector; used by one thread."""

    name: str  # what the log calls it, without what may be secret in its address

    def export(self, spans: list[Span]) -> None:
        """Send all of them. May block for seconds. Raises `ExportFailed`."""

    def close(self) -> None:
        """End a call of `export` that waits in another thread, as far as that is possible."""


def first_context() -> TraceContext:
    """The context of the first span of a new trace."""
    return TraceContext(_random(128) or 1, _random(64) or 1)


def child_context(parent: TraceContext) -> TraceContext:
    """The context of a span below another one."""
    return TraceContext(parent.trace_id, _random(64) or 1, parent.state)


def shown(url: str) -> str:
    """An address for the log: without its query, which may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
