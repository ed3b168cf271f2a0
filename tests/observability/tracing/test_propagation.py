"""Trace contexts in header fields: read from clients of three kinds, written for service code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.observability.tracing.propagation import Format, Incoming, extract, inject
from bentoml.observability.tracing.spans import TraceContext, child_context, first_context

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SHORT = "8448eb211c80319c"
FORMATS: tuple[Format, ...] = ("w3c", "b3", "jaeger")


def head(*fields: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("POST", "host: x", *fields, "content-length: 2")).encode(
        "latin-1"
    )


def context(trace: str = TRACE, state: str = "") -> TraceContext:
    return TraceContext(int(trace, 16), int(SPAN, 16), state)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([f"traceparent: 00-{TRACE}-{SPAN}-01"], Incoming(True, context())),
        ([f"traceparent: 00-{TRACE}-{SPAN}-00"], Incoming(False, context())),
        ([f"traceparent: 00-{TRACE}-{SPAN}-03", "tracestate: a=1"], Incoming(True, context(state="a=1"))),
        (
            [f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: a=1", "tracestate: b=2"],
            Incoming(True, context(state="a=1,b=2")),
        ),
        ([f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: " + "a" * 513], Incoming(True, context())),
        ([f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: a=\xff"], Incoming(True, context())),
        ([f"traceparent: cc-{TRACE}-{SPAN}-01-more"], Incoming(True, context())),
        ([f"x-b3-traceid: {TRACE}", f"x-b3-spanid: {SPAN}", "x-b3-sampled: 1"], Incoming(True, context())),
        ([f"x-b3-traceid: {TRACE}", f"x-b3-spanid: {SPAN}", "x-b3-sampled: 0"], Incoming(False, context())),
        ([f"x-b3-traceid: {SHORT.upper()}", f"x-b3-spanid: {SPAN}"], Incoming(True, context(SHORT))),
        (
            [f"x-b3-traceid: {TRACE}", f"x-b3-spanid: {SPAN}", "x-b3-sampled: 0", "x-b3-flags: 1"],
            Incoming(True, context()),
        ),
        (["x-b3-sampled: 0"], Incoming(False, None)),
        (["x-b3-sampled: 1"], Incoming(True, None)),
        (["b3: 0"], Incoming(False, None)),
        (["b3: d"], Incoming(True, None)),
        ([f"b3: {TRACE}-{SPAN}"], Incoming(True, context())),
        ([f"b3: {TRACE}-{SPAN}-0"], Incoming(False, context())),
        ([f"b3: {TRACE}-{SPAN}-1-{SPAN}"], Incoming(True, context())),
        ([f"uber-trace-id: {TRACE}:{SPAN}:0:1"], Incoming(True, context())),
        ([f"uber-trace-id: {TRACE}%3A{SPAN}%3A0%3A3"], Incoming(True, context())),
        ([f"uber-trace-id: {SHORT}:{SPAN}:{SPAN}:0"], Incoming(False, context(SHORT))),
        ([f"uber-trace-id: ab:{SPAN}:0:1"], Incoming(True, context("ab"))),
    ],
)
@pytest.mark.parametrize("prefer", FORMATS)
def test_a_trace_is_continued_whatever_the_collector(
    fields: list[str], expected: Incoming, prefer: Format
) -> None:
    assert extract(head(*fields), prefer) == expected


@pytest.mark.parametrize(
    "field",
    [
        "traceparent: ",
        f"traceparent: 00-{TRACE.upper()}-{SPAN}-01",
        f"traceparent: 00-{'0' * 32}-{SPAN}-01",
        f"traceparent: 00-{TRACE}-{'0' * 16}-01",
        f"traceparent: 00-{TRACE}-{SPAN}-01-more",
        f"traceparent: ff-{TRACE}-{SPAN}-01",
        f"traceparent: 00-{TRACE}-{SPAN}-zz",
        f"traceparent: {'00-' * 3000}",
        f"traceparent: 00-{TRACE}-{SPAN}-01\r\ntraceparent: 00-{SHORT}{SHORT}-{SPAN}-01",
        f"x-b3-traceid: {TRACE}",
        f"x-b3-traceid: {TRACE[1:]}\r\nx-b3-spanid: {SPAN}",
        f"x-b3-traceid: {TRACE}\r\nx-b3-spanid: 0x{SPAN[2:]}",
        f"x-b3-traceid: {'0' * 32}\r\nx-b3-spanid: {SPAN}",
        "x-b3-sampled: perhaps",
        "b3: perhaps",
        "b3: -",
        "b3: 1-2-3-4-5-6",
        "uber-trace-id: 1:2:3",
        f"uber-trace-id: 0:{SPAN}:0:1",
        f"uber-trace-id: {TRACE}:{SPAN}:0:\xff",
        f"not-traceparent: 00-{TRACE}-{SPAN}-01",
        "tracestate: a=1",
    ],
)
@pytest.mark.parametrize("prefer", FORMATS)
def test_what_is_not_well_formed_is_no_context(field: str, prefer: Format) -> None:
    assert extract(head(field), prefer) is None


def test_of_several_contexts_that_of_the_collectors_format_counts() -> None:
    fields = (
        f"traceparent: 00-{'1' * 32}-{SPAN}-01",
        f"x-b3-traceid: {'2' * 32}",
        f"x-b3-spanid: {SPAN}",
        f"uber-trace-id: {'3' * 32}:{SPAN}:0:1",
    )
    for prefer, digit in zip(FORMATS, "123", strict=True):
        found = extract(head(*fields), prefer)
        assert found is not None and found.parent is not None
        assert found.parent.trace_hex == digit * 32


@given(
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.one_of(st.none(), st.integers(1, 2**64 - 1)),
    st.sampled_from(FORMATS),
)
def test_what_is_written_is_read_back(trace: int, span: int, parent: int | None, form: Format) -> None:
    came = head(
        f"traceparent: 00-{TRACE}-{SPAN}-01", f"b3: {TRACE}-{SPAN}-1", f"uber-trace-id: {TRACE}:{SPAN}:0:1"
    )
    own = TraceContext(trace, span)
    written = inject(came, own, parent, form)
    for prefer in FORMATS:
        assert extract(written, prefer) == Incoming(True, own)
    assert written.startswith(b"POST\r\ntraceparent: ")
    assert written.endswith(b"\r\nhost: x\r\ncontent-length: 2\r\n")
    assert TRACE.encode() not in written.replace(own.trace_hex.encode(), b"")


def test_state_is_passed_on_and_other_fields_stay_as_they_are() -> None:
    came = head("x-note: traceparent: no", f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: a=1")
    found = extract(came, "w3c")
    assert found is not None and found.parent is not None
    own = child_context(found.parent)
    assert (
        inject(came, own, found.parent.span_id, "w3c")
        == (
            f"POST\r\ntraceparent: 00-{TRACE}-{own.span_hex}-01\r\ntracestate: a=1\r\n"
            "host: x\r\nx-note: traceparent: no\r\ncontent-length: 2\r\n"
        ).encode()
    )


def test_ids_are_never_repeated() -> None:
    made = [first_context() for _ in range(1000)]
    assert len({c.trace_id for c in made}) == len({c.span_id for c in made}) == 1000
