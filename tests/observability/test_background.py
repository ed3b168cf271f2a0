"""The writer in front of a stream nobody reads."""

from __future__ import annotations

import os
import threading

from bentoml.observability.background import BackgroundWriter


def test_lines_arrive_in_order() -> None:
    written: list[bytes] = []
    writer = BackgroundWriter(written.append)
    for i in range(1000):
        assert writer.put(b"%d\n" % i)
    writer.close(5)
    assert b"".join(written) == b"".join(b"%d\n" % i for i in range(1000))
    assert not writer.put(b"after close\n")


def test_P16_a_reader_that_does_not_read_never_blocks_the_caller() -> None:
    reader, pipe = os.pipe()
    writer = BackgroundWriter(lambda lines: os.write(pipe, lines), max_bytes=1_000_000)
    line = b"x" * 9_999 + b"\n"
    kept = sum(writer.put(line) for _ in range(400))
    assert kept < 400
    assert not writer.flush(0.01)
    received = bytearray()

    def drain() -> None:
        while data := os.read(reader, 65536):
            received.extend(data)

    thread = threading.Thread(target=drain)
    thread.start()
    assert writer.flush(10)
    assert writer.put(b"again\n")
    writer.close(10)
    os.close(pipe)
    thread.join(10)
    os.close(reader)
    assert received.count(line) == kept
    assert b"%d log entries were dropped here" % (400 - kept) in received
    assert received.count(b"again\n") == 1


def test_a_failing_stream_is_ignored() -> None:
    def broken(lines: bytes) -> None:
        raise BrokenPipeError

    writer = BackgroundWriter(broken)
    writer.put(b"x\n")
    assert writer.flush(5)
    writer.close()
