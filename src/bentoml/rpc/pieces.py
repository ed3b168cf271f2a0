"""Sizes of the pieces in which a file travels.

Whoever waits for a message on the other side sees nothing until all of it has arrived, and gives a silent
stream up after a while. So pieces are small until the line has shown that large ones, which cost less,
arrive quickly.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

SMALL_BYTES = 128 << 10
PROBE_BYTES = 8 << 20  # more than the buffers on the way take without sending
FAST_BYTES_S = 1 << 20


def paced(chunks: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """The same bytes, large chunks cut into small pieces as long as the line is not known to be fast."""
    start, done = time.monotonic(), 0
    for chunk in chunks:
        is_fast = done >= PROBE_BYTES and done >= FAST_BYTES_S * (time.monotonic() - start)
        done += len(chunk)
        if is_fast or len(chunk) <= SMALL_BYTES:
            yield chunk
            continue
        whole = memoryview(chunk)
        for offset in range(0, len(whole), SMALL_BYTES):
            yield whole[offset : offset + SMALL_BYTES]
