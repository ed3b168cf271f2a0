"""Trace contexts in header fields: W3C `traceparent`, Zipkin's B3 and Jaeger's `uber-trace-id`.

Heads are bytes as they cross to a worker: `b"POST\\r\\nname: value\\r\\n…"`, names in lower case.
Whatever format a client uses, its trace is continued; if it sends several, the one that belongs to
the configured collector counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple
from urllib.parse import unquote

from .spans import TraceContext

Format = Literal["w3c", "b3", "jaeger"]
Fields = Mapping[bytes, list[bytes]]

CARRIER = re.compile(
    rb"\r\n(traceparent|tracestate|b3|x-b3-(?:traceid|spanid|parentspanid|sampled|flags)|uber-trace-id):"
    rb"[ \t]*([^\r\n]*)"
)
LONGEST_STATE = 512

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_HEX_TRACE = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}", re.IGNORECASE)
_HEX_SPAN = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)
_UBER = re.compile(r"([0-9a-f]{1,32}):([0-9a-f]{1,16}):([0-9a-f]{1,16}):([0-9a-f]{1,2})", re.IGNORECASE)
_STATE = re.compile(r"[\x20-\x7e]*")


class Incoming(NamedTuple):
    """What a client says about its trace: whether it is recorded, and where this request hangs in it.

    `parent` is None when there is a decision and no trace (`b3: 0`).
    """

    sampled: bool
    parent: TraceContext | None


def extract(head: bytes, prefer: Format) -> Incoming | None:
    """The trace that a request belongs to; None if it names none, or none that is well formed."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in CARRIER.findall(head):
        found.setdefault(name, []).append(value.strip())
    if not found:
        return None
    for parse in (_PARSERS[prefer], *_PARSERS.values()):
        incoming = parse(found)
        if incoming is not None:
            return incoming
    return None


def inject(head: bytes, context: TraceContext, parent_id: int | None, form: Format) -> bytes:
    """A head whose fields name `context`, in the W3C form and in `form`, instead of what came."""
    method, _, fields = CARRIER.sub(b"", head).partition(b"\r\n")
    lines = {"traceparent": f"00-{context.trace_hex}-{context.span_hex}-01"}
    if context.state:
        lines["tracestate"] = context.state
    if form == "b3":
        lines["x-b3-traceid"] = short_trace_id(context)
        lines["x-b3-spanid"] = context.span_hex
        if parent_id is not None:
            lines["x-b3-parentspanid"] = f"{parent_id:016x}"
        lines["x-b3-sampled"] = "1"
    elif form == "jaeger":
        lines["uber-trace-id"] = f"{context.trace_hex}:{context.span_hex}:{parent_id or 0:x}:1"
    added = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return b"%b\r\n%b%b" % (method, added.encode("ascii"), fields)


def short_trace_id(context: TraceContext) -> str:
    """A trace id in Zipkin's form: 16 digits if it has 64 bits, which its older clients use."""
    return context.trace_hex if context.trace_id >> 64 else f"{context.trace_id:016x}"


def _only(fields: Fields, name: bytes) -> str:
    """The value of a field that came once; `""` otherwise."""
    values = fields.get(name, ())
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _w3c(fields: Fields) -> Incoming | None:
    match = _TRACEPARENT.fullmatch(_only(fields, b"traceparent"))
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    if version == "ff" or (version == "00" and more):
        return None
    state = b",".join(fields.get(b"tracestate", ())).decode("latin-1")
    if len(state) > LONGEST_STATE or not _STATE.fullmatch(state):
        state = ""
    return _incoming(trace, span, bool(int(flags, 16) & 1), state)


def _b3(fields: Fields) -> Incoming | None:
    single = _only(fields, b"b3")
    if single:
        parts = single.split("-")
        if len(parts) == 1:
            return _b3_decision(single)
        trace, span, sampled = parts[0], parts[1], parts[2] if len(parts) > 2 else ""
    else:
        trace, span = _only(fields, b"x-b3-traceid"), _only(fields, b"x-b3-spanid")
        sampled = "d" if _only(fields, b"x-b3-flags") == "1" else _only(fields, b"x-b3-sampled")
        if not trace and not span:
            return _b3_decision(sampled)
    if not _HEX_TRACE.fullmatch(trace) or not _HEX_SPAN.fullmatch(span):
        return None
    # 0.13 recorded a trace whose client left the decision open.
    return _incoming(trace, span, sampled.lower() not in ("0", "false"))


def _b3_decision(sampled: str) -> Incoming | None:
    """A decision without a trace."""
    if sampled.lower() in ("0", "false"):
        return Incoming(False, None)
    return Incoming(True, None) if sampled.lower() in ("1", "true", "d") else None


def _jaeger(fields: Fields) -> Incoming | None:
    match = _UBER.fullmatch(unquote(_only(fields, b"uber-trace-id")))
    return _incoming(match[1], match[2], bool(int(match[4], 16) & 1)) if match is not None else None


def _incoming(trace: str, span: str, sampled: bool, state: str = "") -> Incoming | None:
    context = TraceContext(int(trace, 16), int(span, 16), state)
    return Incoming(sampled, context) if context.trace_id and context.span_id else None


_PARSERS: dict[Format, Callable[[Fields], Incoming | None]] = {"w3c": _w3c, "b3": _b3, "jaeger": _jaeger}
