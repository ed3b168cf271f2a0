"""Shared memory for large bodies: slots never overlap, and all of them come back (P17)."""

from __future__ import annotations

import itertools
import mmap
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentoml.workers.channel import SPLIT_FROM_BYTES, Assembler
from bentoml.workers.frames import Answers, FrameError, pack_answers, pack_call, unpack_answers, unpack_call
from bentoml.workers.slab import KEPT_BYTES, SHARED_FROM_BYTES, VARIABLE, SharedBody, SharedReader, Slab

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs memfd")
PAGE = mmap.PAGESIZE


def make(size: int) -> Slab:
    slab = Slab.create(size)
    assert slab is not None
    return slab


def reader_of(slab: Slab) -> SharedReader:
    environment = {VARIABLE: f"{os.dup(slab.fd)}:{slab.size}"}
    reader = SharedReader.from_environment(environment)
    assert reader is not None and not environment
    return reader


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9 * PAGE), st.integers(0, 99)), max_size=60))
def test_slots_do_not_overlap_and_come_back(steps: list[tuple[bool, int, int]]) -> None:
    slab = make(32 * PAGE)
    held: list[tuple[SharedBody, bytes]] = []
    for number, (take, length, which) in enumerate(steps):
        if take:
            body = slab.take(length)
            if body is not None:
                content = bytes([number % 256]) * length
                body.append(content[: length // 2])
                body.append(content[length // 2 :])
                held.append((body, content))
                del body
        elif held:
            held.pop(which % len(held))
        assert all(bytes(body) == content for body, content in held)
    held.clear()
    assert slab.used_bytes == 0
    assert slab.take(32 * PAGE) is not None, "the free room joined again"


def test_no_room_gives_none() -> None:
    slab = make(4 * PAGE)
    kept = slab.take(3 * PAGE)
    assert kept is not None
    assert slab.take(2 * PAGE) is None
    assert slab.take(PAGE) is not None


def test_body_takes_no_more_than_announced() -> None:
    slab = make(4 * PAGE)
    body = slab.take(10)
    assert body is not None
    body.append(b"12345678")
    with pytest.raises(ValueError, match="11 bytes for a body of 10"):
        body.append(b"abc")


def test_memory_of_far_slots_goes_back_to_the_system() -> None:
    slab = make(KEPT_BYTES + (8 << 20))
    near = slab.take(KEPT_BYTES)
    far = slab.take(4 << 20)
    assert near is not None and far is not None
    far.append(bytes(4 << 20))
    held = os.fstat(slab.fd).st_blocks * 512
    assert held >= 4 << 20
    del far
    assert os.fstat(slab.fd).st_blocks * 512 <= held - (4 << 20)


def test_call_round_trip_through_shared_memory() -> None:
    slab = make(64 * PAGE)
    large = os.urandom(SHARED_FROM_BYTES + 7)
    body = slab.take(len(large))
    assert body is not None
    body.append(large)
    items = [b"small", body, b"", b"y" * 1000]
    ids = [b"%036d" % i for i in range(4)]
    frame = b"".join(pack_call(3, 4, items, ids, [b"POST\r\n"], None))
    assert len(frame) < 2000, "the large body is not in the frame"
    call = unpack_call(frame[4:], reader_of(slab))
    assert list(call.bodies) == [b"small", large, b"", b"y" * 1000]
    with pytest.raises(FrameError, match="there is none"):
        unpack_call(frame[4:])
    for cut in (1, 1000, len(frame) - 30):
        with pytest.raises(FrameError):
            unpack_call(frame[4:-cut], reader_of(slab))


def test_place_outside_the_slab_is_refused() -> None:
    slab, small = make(64 * PAGE), make(PAGE)
    body = slab.take(SHARED_FROM_BYTES)
    assert body is not None
    frame = b"".join(pack_call(0, 1, [body], [b"%036d" % 0], [b"POST\r\n"], None))
    with pytest.raises(FrameError, match="memory that is not there"):
        unpack_call(frame[4:], reader_of(small))


@given(st.lists(st.integers(0, 300_000), max_size=6), st.integers(1, 1 << 17))
def test_large_answers_survive_any_cut(cuts: list[int], size: int) -> None:
    bodies = [b"a" * size, b"", b"b" * SPLIT_FROM_BYTES, b"c"]
    sent = Answers(1, 9, bodies, [b"\xc8\x00"], None, (0.5, 0.25, 0.125))
    data = b"".join(pack_answers(sent)) * 2 + b"".join(
        pack_answers(Answers(1, 10, [b"z"], [b"\xc8\x00"], None, (0, 0, 0)))
    )
    frames: list[bytes | memoryview] = []
    assembler = Assembler(frames.append)
    edges = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    for start, end in itertools.pairwise(edges):
        assembler.feed(data[start:end])
    assert len(frames) == 3
    for frame in frames[:2]:
        got = unpack_answers(frame)
        assert [bytes(body) for body in got.bodies] == bodies
        assert list(got.heads) == [b"\xc8\x00"]
    assert [bytes(body) for body in unpack_answers(frames[2]).bodies] == [b"z"]


def test_descriptor_is_closed_in_the_worker(tmp_path: Path) -> None:
    slab = make(PAGE)
    fd = os.dup(slab.fd)
    SharedReader.from_environment({VARIABLE: f"{fd}:{PAGE}"})
    with pytest.raises(OSError):
        os.fstat(fd)
    assert SharedReader.from_environment({}) is None
