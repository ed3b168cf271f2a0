"""C4: mutated inputs for every decoder that bytes of a client or of a worker reach.

Each target runs for `BENTOML_FUZZ_SECONDS` (a second by default, ten minutes in all with
`make soak`). Nothing may crash, take more than a second, or raise another error than it says.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest
from contracts.probe import make_service

from bentoml.adapters import DataframeInput, FileInput, JsonInput, MultiFileInput, StringInput
from bentoml.adapters.limits import DecodeLimits
from bentoml.inference.pipeline import Pipeline
from bentoml.types import Payload, RequestHead
from bentoml.workers import channel
from bentoml.workers.channel import Assembler
from bentoml.workers.frames import (
    Answers,
    FrameError,
    kind_of,
    pack_answers,
    pack_call,
    pack_message,
    unpack_answers,
    unpack_call,
)
from tests.server.live.inprocess import Server
from tests.soak.requests import BYTES, MUTATIONS, pieces, stream

SHORT_S = 1.0
LONG_S = 60.0
SLOWEST_S = 1.0
LARGE_BYTES = 1 << 20

Target = Callable[[bytes, random.Random], object]


def seconds(default: float) -> float:
    return float(os.environ.get("BENTOML_FUZZ_SECONDS", default))


def joined(parts: Sequence[bytes]) -> bytes:
    return b"".join(parts)


IDS = [b"%036d" % i for i in range(3)]
FRAMES = (
    joined(pack_call(1, 2, [b"a", b"bb", b""], IDS, [b"POST\r\nx: 1\r\n", b"GET\r\n"], [0, 1, 0])),
    joined(pack_call(0, 9, [b"x" * 300] * 3, IDS, [b"POST\r\n"], None)),
    joined(pack_answers(Answers(1, 2, [b"a", b""], [b"\xc8\x00x: y\r\n"], None, (0.1, 0.2, 0.3)))),
    pack_message(3, b'{"pid": 1}'),
)


def frames(data: bytes, dice: random.Random) -> None:
    """What a worker might send: whole frames only, and each is one or is refused."""
    found: list[bytes] = []
    assembler = Assembler(found.append)
    # An announced length gets its memory at once; with the real limit that is slow and finds nothing.
    with patch.object(channel, "MAX_FRAME_BYTES", LARGE_BYTES), suppress(FrameError):
        for piece in pieces(data, dice):
            assembler.feed(piece)
    for frame in found:
        for decode in (kind_of, unpack_call, unpack_answers):
            try:
                decode(frame)
            except FrameError:
                continue


def pipeline_target(adapter: Any, kinds: Sequence[str]) -> Target:
    """An input adapter behind the whole pipeline, in a batch with a good neighbour on each side."""
    service = make_service(lambda self, *values: [0] * len(values[0]), adapter)
    pipeline = Pipeline(service.inference_apis[0], DecodeLimits(max_body_bytes=1 << 20))
    heads = [RequestHead.build({"Content-Type": kind}) for kind in kinds]

    def run(data: bytes, dice: random.Random) -> None:
        head = dice.choice(heads)
        replies = pipeline.run([Payload(data, head), Payload(data[::-1], head)])
        assert len(replies) == 2
        for reply in replies:
            assert reply.head.status in (200, 400, 413, 415), (reply.head.status, reply.body[:200])

    return run


FORM = "\r\n".join(
    (
        "--b",
        'Content-Disposition: form-data; name="f"; filename="a.txt"',
        "Content-Type: text/plain",
        "",
        "hello",
        "--b",
        "Content-Disposition: form-data; name=\"g\"; filename*=UTF-8''%e2%82%ac",
        "",
        "x",
        "--b--",
        "",
    )
).encode()
JSON = (
    b'{"a": [1, 2.5e3, null, true, "\\u00e9\\n"], "b": {"c": []}}',
    b'[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]',
    b'{"columns": ["a", "b"], "data": [[1, 2], [3, 4]], "index": [0, 1]}',
)
CSV = (b'a,b,c\n1,2.5,x\n3,,"y, ""z"""\n', b"a\n1\n2\n", b'\xef\xbb\xbfa,b\r\n"1\n2",3\r\n')

CASES: dict[str, tuple[Callable[[], Target], Sequence[bytes]]] = {
    "frames": (lambda: frames, FRAMES),
    "json": (lambda: pipeline_target(JsonInput(), ["application/json", "text/plain"]), JSON),
    "frame-json": (lambda: pipeline_target(DataframeInput(), ["application/json"]), JSON),
    "frame-csv": (lambda: pipeline_target(DataframeInput(dtype={"a": "float"}), ["text/csv"]), CSV),
    "multipart": (
        lambda: pipeline_target(
            MultiFileInput(input_names=["f", "g"]), ["multipart/form-data; boundary=b", "multipart/form-data"]
        ),
        [FORM],
    ),
    "file": (
        lambda: pipeline_target(FileInput(), ["multipart/form-data; boundary=b", "application/octet-stream"]),
        [FORM],
    ),
    "text": (lambda: pipeline_target(StringInput(), ["text/plain", "text/plain; charset=utf-16"]), JSON),
}


def mutated(seeds: Sequence[bytes], dice: random.Random) -> bytes:
    data = dice.choice(seeds)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        if data:
            data = dice.choice(MUTATIONS)(data, dice)
    if dice.random() < 0.1:
        data = data + dice.choice(BYTES) * dice.choice((1, 100, 20_000))
    return data


def fuzz(target: Target, seeds: Sequence[bytes], lasts_s: float, seed: int) -> int:
    dice = random.Random(seed)
    runs, end = 0, time.monotonic() + lasts_s
    while time.monotonic() < end:
        data = mutated(seeds, dice)
        start = time.thread_time()
        try:
            target(data, dice)
        except Exception as err:
            raise AssertionError(f"{err!r} for {data[:2000]!r}") from err
        took_s = time.thread_time() - start
        assert took_s < SLOWEST_S, f"{took_s:.1f} s for {data[:2000]!r}"
        runs += 1
    return runs


async def fuzz_http(lasts_s: float, seed: int) -> int:
    """The head, chunks and pipelines of connections; the next connection must always work."""
    server, dice = Server(), random.Random(seed)
    good = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"
    runs, end = 0, time.monotonic() + lasts_s
    while time.monotonic() < end:
        data = stream(dice)
        for _ in range(dice.choice((0, 1, 5))):
            data = dice.choice(MUTATIONS)(data, dice) if data else data
        start = time.thread_time()
        found = await server.read(*pieces(data, dice))
        assert time.thread_time() - start < SLOWEST_S, data[:2000]
        assert found.status in (0, 400, 408, 413, 414, 417, 431, 501, 505), (found, data[:2000])
        assert (await server.read(good)).requests == [(b"POST", b"ok")]
        runs += 1
    return runs


@pytest.mark.parametrize("name", list(CASES))
def test_C4_decoders(name: str) -> None:
    make, seeds = CASES[name]
    assert fuzz(make(), seeds, seconds(SHORT_S), 4) > 2


def test_C4_http() -> None:
    assert asyncio.run(fuzz_http(seconds(SHORT_S), 4)) > 20


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [*CASES, "http"])
def test_C4_for_longer(name: str) -> None:
    seed = time.time_ns()
    print(f"{name}: seed {seed}")
    if name == "http":
        runs = asyncio.run(fuzz_http(seconds(LONG_S), seed))
    else:
        make, seeds = CASES[name]
        runs = fuzz(make(), seeds, seconds(LONG_S), seed)
    print(f"{name}: {runs} inputs")
