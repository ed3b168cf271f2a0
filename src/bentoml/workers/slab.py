"""Large bodies cross to workers in memory that both sides see, not through their socket.

The front owns one unnamed piece of memory (Linux: memfd) and hands it to every worker it starts. A
body of `SHARED_FROM_BYTES` or more is written into a slot of it while it arrives; the frame then
carries only its place. A slot is free again when the front forgets the body: after the answer,
after the last retry, or when the client is gone before the body was sent on. A worker maps the
memory read-only and copies a body out when it reads the frame.

Where no slot is free, or on systems without memfd, bodies travel inside the frame as small ones do.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Mapping, MutableMapping

SLAB_BYTES = 256 << 20  # address space; memory is taken when a page is first written
KEPT_BYTES = 64 << 20  # pages beyond this place go back to the system with their slot
SHARED_FROM_BYTES = 1 << 16
VARIABLE = "BENTOML_WORKER_SLAB"


class Slab:
    """The front's side. `create` returns None where the system has no such memory."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self._map = mmap.mmap(fd, size)
        self._view = memoryview(self._map)
        self._free: list[tuple[int, int]] = [(0, size)]  # (start, end), sorted, never touching

    @classmethod
    def create(cls, size: int = SLAB_BYTES) -> Slab | None:
        if not hasattr(os, "memfd_create"):
            return None
        try:
            fd = os.memfd_create("bentoml-bodies")
        except OSError:
            return None
        try:
            os.ftruncate(fd, size)
            return cls(fd, size)
        except OSError:
            os.close(fd)
            return None

    @property
    def environment(self) -> Mapping[str, str]:
        """How a worker finds it."""
        return {VARIABLE: f"{self.fd}:{self.size}"}

    @property
    def used_bytes(self) -> int:
        return self.size - sum(end - start for start, end in self._free)

    def take(self, length: int) -> SharedBody | None:
        """A slot for a body of this length, the lowest that fits; None when there is none."""
        need = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
        for number, (start, end) in enumerate(self._free):
            if end - start >= need:
                if end - start == need:
                    del self._free[number]
                else:
                    self._free[number] = (start + need, end)
                return SharedBody(self, start, need, length)
        return None

    def write(self, place: int, data: bytes) -> None:
        self._view[place : place + len(data)] = data

    def read(self, place: int, length: int) -> bytes:
        return bytes(self._view[place : place + length])

    def give_back(self, start: int, size: int) -> None:
        """Make a slot free again; it joins the free room around it."""
        end = start + size
        if end > KEPT_BYTES and hasattr(mmap, "MADV_REMOVE"):
            self._map.madvise(mmap.MADV_REMOVE, start, size)
        free = self._free
        at = bisect_left(free, (start, end))
        if at < len(free) and free[at][0] == end:
            end = free.pop(at)[1]
        if at and free[at - 1][1] == start:
            start = free.pop(at - 1)[0]
            at -= 1
        free.insert(at, (start, end))


class SharedBody:
    """A body in a slot, which is its own for as long as this object lives."""

    __slots__ = ("_filled", "_length", "_size", "_slab", "place")

    def __init__(self, slab: Slab, place: int, size: int, length: int) -> None:
        self._slab = slab
        self._size = size
        self._length = length
        self._filled = 0
        self.place = place

    def __len__(self) -> int:
        """Bytes of the whole body, written already or not."""
        return self._length

    def __bytes__(self) -> bytes:
        return self._slab.read(self.place, self._length)

    def append(self, data: bytes) -> None:
        """Write the next bytes. Raises `ValueError` when they are more than were announced."""
        end = self._filled + len(data)
        if end > self._length:
            raise ValueError(f"{end} bytes for a body of {self._length}")
        self._slab.write(self.place + self._filled, data)
        self._filled = end

    def __del__(self) -> None:
        self._slab.give_back(self.place, self._size)


class SharedReader:
    """A worker's side."""

    def __init__(self, fd: int, size: int) -> None:
        self._size = size
        self._view = memoryview(mmap.mmap(fd, size, prot=mmap.PROT_READ))

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> SharedReader | None:
        """The slab that whoever started this process handed over; its variable is removed."""
        fd, _, size = environment.pop(VARIABLE, "").partition(":")
        if not fd:
            return None
        try:
            return cls(int(fd), int(size))
        finally:
            os.close(int(fd))  # the mapping stays

    def read(self, place: int, length: int) -> bytes:
        """Raises `ValueError` for a place outside the slab."""
        if place + length > self._size:
            raise ValueError(f"{length} bytes at {place} are outside a slab of {self._size}")
        return bytes(self._view[place : place + length])
