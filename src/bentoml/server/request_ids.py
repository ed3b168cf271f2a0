"""Request ids: random UUIDs (version 4) as text, made in blocks because one at a time is slow."""

from __future__ import annotations

import os
from binascii import hexlify

BLOCK = 512


class RequestIds:
    """An endless supply of 36-byte ASCII ids."""

    def __init__(self) -> None:
        self._ready: list[bytes] = []

    def next(self) -> bytes:
        """A fresh id."""
        if not self._ready:
            self._ready = _block()
        return self._ready.pop()


def _block() -> list[bytes]:
    text = hexlify(os.urandom(16 * BLOCK))
    ids = []
    for at in range(0, len(text), 32):
        h = text[at : at + 32]
        variant = b"89ab"[h[16] & 3 : (h[16] & 3) + 1]
        ids.append(b"%b-%b-4%b-%b%b-%b" % (h[:8], h[8:12], h[13:16], variant, h[17:20], h[20:]))
    return ids
