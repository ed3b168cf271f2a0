"""The bytes between the front and a worker.

A frame is a fixed head, then arrays of lengths, then the bytes themselves; one frame carries one
batch. Nothing here is ever unpickled: what a client sent stays an opaque run of bytes, and what we
tell each other about ourselves (`HELLO`, `FAIL`) is JSON. Little-endian, no padding.

    head     u32 length of what follows · u8 kind · u8 flags · u16 api · u32 batch · u32 count · u32 heads
    CALL     u32 body length × count · [u16 head index × count] · u32 head length × heads
             · 36 bytes request id × count · heads · bodies
             with flag SHARED: a u64 place × count follows the head lengths; a body that has one lies
             there in shared memory (see `slab`), not in the frame. INSIDE marks those that do not.
    REPLY    f64 decode_s · f64 call_s · f64 encode_s · u32 rows · u32 body length × count
             · [u16 head index × count] · u32 head length × heads · heads (u16 status, then header lines)
             · bodies
    others   count bytes of payload

The index array is left out when there is one head only (`heads == 1`), which is the usual case:
clients of one program send the same header bytes each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, pack, unpack_from
from typing import Protocol

from bentoml.exceptions import BentoMLException

from .slab import SHARED_FROM_BYTES, SharedBody

HEAD = Struct("<IBBHIII")
LENGTH = Struct("<I")
TIMES = Struct("<dddI")
STATUS = Struct("<H")
ID_BYTES = 36
MAX_FRAME_BYTES = 1 << 31

SHARED = 1
INSIDE = (1 << 64) - 1

CALL, REPLY, HELLO, FAIL, BEAT, STOP, CONFIG = range(1, 8)


class Reader(Protocol):
    """Reads bodies out of shared memory."""

    def read(self, place: int, length: int) -> bytes: ...


Frame = bytes | memoryview
KEPT_FROM_BYTES = 1 << 16


class FrameError(BentoMLException):
    """Bytes on an inner channel that are no frame. This is a bug, or somebody else's bytes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A batch on its way to a worker. `heads[indexes[i]]` belongs to `bodies[i]`."""

    api: int
    batch: int
    bodies: Sequence[bytes]
    heads: Sequence[bytes]
    indexes: Sequence[int] | None
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answers:
    """A finished batch. A head is a u16 status and the header lines all its bodies share.

    A large body may be a `memoryview` of the frame it came in. `rows` is how many the requests held
    together, 0 where nobody counted.
    """

    api: int
    batch: int
    bodies: Sequence[Frame]
    heads: Sequence[bytes]
    indexes: Sequence[int] | None
    times: tuple[float, float, float]
    rows: int = 0


def pack_call(
    api: int,
    batch: int,
    bodies: Sequence[bytes | SharedBody],
    ids: Sequence[bytes],
    heads: Sequence[bytes],
    indexes: Sequence[int] | None,
) -> list[bytes]:
    """The parts of a CALL frame, in order, for one vectored write.

    Args:
        ids: 36 ASCII bytes each.
        indexes: position in `heads` per body; None when all share the only head.
    """
    n = len(bodies)
    lengths = pack(f"<{n}I", *map(len, bodies))
    table = pack(f"<{len(heads)}I", *map(len, heads))
    index = b"" if len(heads) == 1 else pack(f"<{n}H", *(indexes or ()))
    total = sum(map(len, bodies))
    inside, places, flags = bodies, b"", 0
    if total >= SHARED_FROM_BYTES and SharedBody in set(map(type, bodies)):
        inside = [body for body in bodies if type(body) is bytes]
        total = sum(map(len, inside))
        places = pack(f"<{n}Q", *(INSIDE if type(b) is bytes else b.place for b in bodies))  # type: ignore[union-attr]
        flags = SHARED
    arrays = len(lengths) + len(index) + len(table) + len(places)
    size = arrays + n * ID_BYTES + sum(map(len, heads)) + total
    head = HEAD.pack(HEAD.size - 4 + size, CALL, flags, api, batch, n, len(heads))
    return [head, lengths, index, table, places, *ids, *heads, *inside]  # type: ignore[list-item]


def pack_answers(answers: Answers) -> list[Frame]:
    """The parts of a REPLY frame, in order."""
    n = len(answers.bodies)
    lengths = pack(f"<{n}I", *map(len, answers.bodies))
    table = pack(f"<{len(answers.heads)}I", *map(len, answers.heads))
    index = b"" if len(answers.heads) == 1 else pack(f"<{n}H", *(answers.indexes or ()))
    payload = sum(map(len, answers.heads)) + sum(map(len, answers.bodies))
    size = TIMES.size + len(lengths) + len(index) + len(table) + payload
    head = HEAD.pack(HEAD.size - 4 + size, REPLY, 0, answers.api, answers.batch, n, len(answers.heads))
    return [
        head,
        TIMES.pack(*answers.times, answers.rows),
        lengths,
        index,
        table,
        *answers.heads,
        *answers.bodies,
    ]


def pack_message(kind: int, payload: bytes = b"") -> bytes:
    """A control frame."""
    return HEAD.pack(HEAD.size - 4 + len(payload), kind, 0, 0, 0, len(payload), 0) + payload


def kind_of(frame: Frame) -> int:
    """Kind of a frame given without its length field. Raises `FrameError` if it is too short."""
    if len(frame) < HEAD.size - 4:
        raise FrameError(f"a frame of {len(frame)} bytes is shorter than a frame head")
    return frame[0]


def payload_of(frame: bytes) -> bytes:
    """Payload of a control frame."""
    return frame[HEAD.size - 4 :]


def unpack_call(frame: bytes, shared: Reader | None = None) -> Call:
    """A CALL frame given without its length field. Raises `FrameError` on any inconsistency."""
    api, batch, n, heads_count = _fields(frame)
    at = HEAD.size - 4
    lengths, indexes, table, at = _arrays(frame, at, n, heads_count)
    places: tuple[int, ...] | None = None
    if frame[1] & SHARED:
        if at + 8 * n > len(frame):
            raise FrameError("a CALL frame ends inside its places")
        places = unpack_from(f"<{n}Q", frame, at)
        at += 8 * n
    ids_end = at + n * ID_BYTES
    if ids_end > len(frame):
        raise FrameError("a CALL frame ends inside its request ids")
    text = frame[at:ids_end].decode("ascii", "replace")
    ids = [text[i : i + ID_BYTES] for i in range(0, len(text), ID_BYTES)]
    heads, at = _cut(frame, ids_end, table)
    if places is None:
        bodies, at = _cut(frame, at, lengths)
    else:
        bodies, at = _gather(frame, at, lengths, places, shared)
    _check_end(frame, at)
    return Call(api, batch, bodies, heads, indexes, ids)


def unpack_answers(frame: Frame) -> Answers:
    """A REPLY frame given without its length field. Raises `FrameError` on any inconsistency."""
    api, batch, n, heads_count = _fields(frame)
    at = HEAD.size - 4
    if at + TIMES.size > len(frame):
        raise FrameError("a REPLY frame ends inside its times")
    *times, rows = TIMES.unpack_from(frame, at)
    lengths, indexes, table, at = _arrays(frame, at + TIMES.size, n, heads_count)
    bodies: Sequence[Frame]
    if isinstance(frame, memoryview):
        heads, at = _cut(bytes(frame[at : at + sum(table)]), 0, table)[0], at + sum(table)
        bodies, at = _cut_view(frame, at, lengths)
    else:
        heads, at = _cut(frame, at, table)
        bodies, at = _cut(frame, at, lengths)
    _check_end(frame, at)
    return Answers(api, batch, bodies, heads, indexes, (times[0], times[1], times[2]), rows)


def _fields(frame: Frame) -> tuple[int, int, int, int]:
    if len(frame) < HEAD.size - 4:
        raise FrameError(f"a frame of {len(frame)} bytes is shorter than a frame head")
    api, batch, n, heads = unpack_from("<HIII", frame, 2)
    return api, batch, n, heads


def _arrays(
    frame: Frame, at: int, n: int, heads: int
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...], int]:
    index_bytes = 0 if heads == 1 else 2 * n
    end = at + 4 * n + index_bytes + 4 * heads
    if end > len(frame):
        raise FrameError(f"a frame of {len(frame)} bytes cannot hold {n} items and {heads} heads")
    lengths = unpack_from(f"<{n}I", frame, at)
    indexes = None if heads == 1 else unpack_from(f"<{n}H", frame, at + 4 * n)
    if indexes and max(indexes) >= heads:
        raise FrameError(f"a frame names head {max(indexes)} of {heads}")
    table = unpack_from(f"<{heads}I", frame, at + 4 * n + index_bytes)
    return lengths, indexes, table, end


def _cut(frame: bytes, at: int, lengths: Sequence[int]) -> tuple[list[bytes], int]:
    parts = []
    for length in lengths:
        parts.append(frame[at : at + length])
        at += length
    return parts, at


def _cut_view(frame: memoryview, at: int, lengths: Sequence[int]) -> tuple[list[Frame], int]:
    """Small parts as bytes, large ones where they are."""
    parts: list[Frame] = []
    for length in lengths:
        part = frame[at : at + length]
        parts.append(part if length >= KEPT_FROM_BYTES else bytes(part))
        at += length
    return parts, at


def _gather(
    frame: bytes, at: int, lengths: Sequence[int], places: Sequence[int], shared: Reader | None
) -> tuple[list[bytes], int]:
    """Bodies of which some lie in shared memory."""
    if shared is None:
        raise FrameError("a CALL frame names shared memory, and there is none")
    parts = []
    for length, place in zip(lengths, places, strict=True):
        if place == INSIDE:
            parts.append(frame[at : at + length])
            at += length
            continue
        try:
            parts.append(shared.read(place, length))
        except ValueError as err:
            raise FrameError(f"a CALL frame names memory that is not there: {err}") from err
    return parts, at


def _check_end(frame: Frame, at: int) -> None:
    if at != len(frame):
        raise FrameError(f"a frame of {len(frame)} bytes announces {at}")
