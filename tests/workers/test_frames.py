"""Frames survive any cut of the byte stream, and nothing else is taken for one (C4)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.workers.channel import Assembler
from bentoml.workers.frames import (
    HELLO,
    REPLY,
    Answers,
    Frame,
    FrameError,
    kind_of,
    pack_answers,
    pack_call,
    pack_message,
    payload_of,
    unpack_answers,
    unpack_call,
)

bodies = st.lists(st.binary(max_size=64), min_size=1, max_size=20)


def reassemble(data: bytes, cuts: list[int]) -> list[bytes]:
    """Frames as bytes; large ones arrive as views."""
    frames: list[Frame] = []
    assembler = Assembler(frames.append)
    edges = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    for start, end in itertools.pairwise(edges):
        assembler.feed(data[start:end])
    return [bytes(frame) for frame in frames]


@given(bodies, st.integers(1, 4), st.lists(st.integers(0, 10_000), max_size=30), st.data())
def test_call_round_trip(items: list[bytes], heads: int, cuts: list[int], data: st.DataObject) -> None:
    table = [b"POST\r\nx: %d\r\n" % i for i in range(heads)]
    indexes = [data.draw(st.integers(0, heads - 1)) for _ in items]
    ids = [b"%036d" % i for i in range(len(items))]
    frame = b"".join(pack_call(7, 42, items, ids, table, indexes if heads > 1 else None))
    (received, again) = reassemble(frame + frame, cuts)
    call = unpack_call(received)
    assert again == received
    assert (call.api, call.batch) == (7, 42)
    assert list(call.bodies) == items
    assert [i.encode() for i in call.ids] == ids
    assert list(call.heads) == table
    assert call.indexes is None if heads == 1 else list(call.indexes or ()) == indexes


@given(bodies, st.integers(1, 3), st.data())
def test_answers_round_trip(items: list[bytes], heads: int, data: st.DataObject) -> None:
    table = [b"\xc8\x00content-type: text/%d\r\n" % i for i in range(heads)]
    indexes = [data.draw(st.integers(0, heads - 1)) for _ in items] if heads > 1 else None
    sent = Answers(1, 9, items, table, indexes, (0.5, 0.25, 0.125))
    (frame,) = reassemble(b"".join(pack_answers(sent)), [])
    assert kind_of(frame) == REPLY
    got = unpack_answers(frame)
    assert list(got.bodies) == items
    assert list(got.heads) == table
    assert got.times == sent.times
    assert (list(got.indexes) if got.indexes else None) == indexes


@given(bodies, st.data())
def test_truncated_or_padded_frames_are_refused(items: list[bytes], data: st.DataObject) -> None:
    ids = [b"%036d" % i for i in range(len(items))]
    (frame,) = reassemble(b"".join(pack_call(0, 1, items, ids, [b"POST\r\n"], None)), [])
    cut = data.draw(st.integers(0, len(frame) - 1))
    with pytest.raises(FrameError):
        unpack_call(frame[:cut])
    with pytest.raises(FrameError):
        unpack_call(frame + b"x")


@given(st.binary(min_size=19, max_size=400))
def test_random_bytes_never_crash_the_decoder(noise: bytes) -> None:
    for decode in (unpack_call, unpack_answers):
        try:
            decode(noise)
        except FrameError:
            continue


def test_an_index_outside_the_table_is_refused() -> None:
    parts = pack_call(0, 1, [b"a", b"b"], [b"%036d" % i for i in range(2)], [b"h1", b"h2"], [0, 5])
    (frame,) = reassemble(b"".join(parts), [])
    with pytest.raises(FrameError, match="names head 5"):
        unpack_call(frame)


def test_a_huge_length_is_refused_before_memory_is_spent() -> None:
    with pytest.raises(FrameError, match="over the limit"):
        Assembler(lambda frame: None).feed(b"\xff\xff\xff\xff\x01")


def test_message_round_trip() -> None:
    (frame,) = reassemble(pack_message(HELLO, b'{"pid": 1}'), [3, 9])
    assert kind_of(frame) == HELLO
    assert payload_of(frame) == b'{"pid": 1}'
