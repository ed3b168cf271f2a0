"""What the inner channel costs: packing, cutting, and large bodies through socket or shared memory.

    python benchmarks/micro/frames.py

Microseconds per item, best of several rounds; the ratio is to the first line of its block.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from timing import block

from bentoml.workers.channel import Assembler, BlockingChannel
from bentoml.workers.frames import Answers, pack_answers, pack_call, unpack_answers, unpack_call
from bentoml.workers.slab import SharedReader, Slab

HEAD = b"POST\r\ncontent-type: application/json\r\n"
REPLY_HEAD = b"\xc8\x00content-type: application/json\r\n"
MIB = 1 << 20


def small_bodies(count: int) -> None:
    bodies = [b"[5.1,3.5,1.4,0.2]"] * count
    ids = [b"%036d" % i for i in range(count)]
    call = b"".join(pack_call(0, 1, bodies, ids, [HEAD], None))
    answers = Answers(0, 1, [b"0"] * count, [REPLY_HEAD], None, (0.0, 0.0, 0.0))
    reply = b"".join(pack_answers(answers))
    frames: list[Any] = []
    assembler = Assembler(frames.append)
    block(
        "one frame of small requests",
        count,
        {
            "pack the call": lambda: b"".join(pack_call(0, 1, bodies, ids, [HEAD], None)),
            "unpack the call": lambda: unpack_call(call[4:]),
            "pack the answers": lambda: b"".join(pack_answers(answers)),
            "cut and unpack the answers": lambda: (assembler.feed(reply), unpack_answers(frames.pop())),
        },
    )


def echo(use: Callable[[BlockingChannel], None]) -> tuple[BlockingChannel, threading.Thread]:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=use, args=(BlockingChannel(theirs),), daemon=True)
    thread.start()
    return BlockingChannel(ours), thread


def large_bodies() -> None:
    """1 MiB from chunks as a client's socket gives them to bytes in a worker (a thread here)."""
    body = os.urandom(MIB)
    chunks = [body[i : i + (1 << 18)] for i in range(0, MIB, 1 << 18)]
    ids = [b"%036d" % 0]
    slab = Slab.create()
    reader = None if slab is None else SharedReader(os.dup(slab.fd), slab.size)

    def worker(channel: BlockingChannel) -> None:
        try:
            while True:
                unpack_call(channel.receive(), reader)
                channel.send([b"\x01\0\0\0", b"."])
        except (EOFError, OSError):
            return

    channel, _ = echo(worker)

    def through_socket() -> None:
        channel.send(list(pack_call(0, 1, [b"".join(chunks)], ids, [HEAD], None)))
        channel.receive()

    def through_memory() -> None:
        assert slab is not None
        shared = slab.take(MIB)
        assert shared is not None
        for chunk in chunks:
            shared.append(chunk)
        channel.send(list(pack_call(0, 1, [shared], ids, [HEAD], None)))
        channel.receive()

    cases: dict[str, Callable[[], Any]] = {"inside the frame": through_socket}
    if slab is not None:
        cases["in shared memory"] = through_memory
    block("a body of 1 MiB to a worker", 1, cases, rounds=300)


if __name__ == "__main__":
    small_bodies(1)
    small_bodies(100)
    small_bodies(1000)
    large_bodies()
