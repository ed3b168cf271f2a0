"""Request ids: random UUIDs (version 4) as text, made in blocks because one at a time is slow."""

from __future__ import annotations

import os
from binascii import hexlify
from struct import Struct

BLOCK = 512
RAW_BYTES = 16
_GROUPS = Struct("8s4s4s4s12s")
_VERSION = bytes(0x40 | byte & 0x0F for byte in range(256))
_VARIANT = bytes(0x80 | byte & 0x3F for byte in range(256))


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
    raw = bytearray(os.urandom(RAW_BYTES * BLOCK))
    raw[6::RAW_BYTES] = raw[6::RAW_BYTES].translate(_VERSION)
    raw[8::RAW_BYTES] = raw[8::RAW_BYTES].translate(_VARIANT)
    return [b"%b-%b-%b-%b-%b" % groups for groups in _GROUPS.iter_unpack(hexlify(raw))]
