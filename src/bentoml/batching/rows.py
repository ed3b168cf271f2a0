"""A limit on the rows of a batch, for APIs whose requests carry many.

The front does not read bodies, so it does not know how many rows one holds. It learns from the answers of
workers how many there are to a byte, and cuts batches by that. Workers know, and keep to the limit
themselves; a good guess only saves them batches that they have to take apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STEP = 0.2


class RowLimit:
    """Most rows in a batch, and what is known about the rows in bodies.

    Attributes:
        most: rows.
        per_byte: rows to a byte of body; 0 before anything was answered.
    """

    __slots__ = ("most", "per_byte")

    def __init__(self, most: int) -> None:
        self.most = most
        self.per_byte = 0.0

    def note(self, bodies: Iterable[Any], rows: int) -> None:
        """Learn from an answered batch; `rows` is 0 where the worker could not tell."""
        size = sum(map(len, bodies))
        if not rows or not size:
            return
        found = rows / size
        self.per_byte = self.per_byte + STEP * (found - self.per_byte) if self.per_byte else found

    def fitting(self, bodies: Iterable[Any], count: int) -> int:
        """How many of the first `count` bodies make a batch within the limit, at least one."""
        left = float(self.most)
        taken = 0
        for body in bodies:
            left -= max(1.0, self.per_byte * len(body))
            if taken >= count or (left < 0 and taken):
                break
            taken += 1
        return taken
