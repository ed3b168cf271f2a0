"""C4: mutated inputs for every decoder that bytes of a client or of a worker reach.

Each target runs for `BENTOML_FUZZ_SECONDS` (a second by default, ten minutes in all with
`make soak`). Nothing may crash, take more than a second, or raise another error than it says. A target
starts from its corpus (`corpus/`, all of which is tried first), and what makes it behave in a new way is
mutated further.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from contracts.probe import make_service

from bentoml.adapters import DataframeInput, FileInput, JsonInput, MultiFileInput, StringInput
from bentoml.adapters.limits import DecodeLimits
from bentoml.bundle.archive import ArchiveLimits, extract_archive
from bentoml.bundle.descriptor import read_descriptor
from bentoml.bundle.manifest import FileEntry, Manifest, manifest_text, read_manifest
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.inference.pipeline import Pipeline
from bentoml.repository.selector import parse_selector
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
from tests.soak.corpus_files import Corpus
from tests.soak.requests import BYTES, MUTATIONS, pieces, stream

SHORT_S = 1.0
LONG_S = 60.0
SLOWEST_S = 1.0
LARGE_BYTES = 1 << 20

Target = Callable[[bytes, random.Random], Hashable]
VALUES = re.compile(r"'[^']*'|\d+|\(.*")


def shape(text: str) -> str:
    """An error message without what the input put into it."""
    return VALUES.sub("", text)[:60]


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


def frames(data: bytes, dice: random.Random) -> Hashable:
    """What a worker might send: whole frames only, and each is one or is refused."""
    found: list[bytes] = []
    assembler = Assembler(found.append)
    # An announced length gets its memory at once; with the real limit that is slow and finds nothing.
    with patch.object(channel, "MAX_FRAME_BYTES", LARGE_BYTES), suppress(FrameError):
        for piece in pieces(data, dice):
            assembler.feed(piece)
    did = []
    for frame in found:
        for decode in (kind_of, unpack_call, unpack_answers):
            try:
                decode(frame)
                did.append("read")
            except FrameError as err:
                did.append(shape(str(err)))
    return tuple(did)


def pipeline_target(adapter: Any, kinds: Sequence[str]) -> Target:
    """An input adapter behind the whole pipeline, in a batch with a good neighbour on each side."""
    service = make_service(lambda self, *values: [0] * len(values[0]), adapter)
    pipeline = Pipeline(service.inference_apis[0], DecodeLimits(max_body_bytes=1 << 20))
    heads = [RequestHead.build({"Content-Type": kind}) for kind in kinds]

    def run(data: bytes, dice: random.Random) -> Hashable:
        head = dice.choice(heads)
        replies = pipeline.run([Payload(data, head), Payload(data[::-1], head)])
        assert len(replies) == 2
        for reply in replies:
            assert reply.head.status in (200, 400, 413, 415), (reply.head.status, reply.body[:200])
        status = replies[0].head.status
        return status, shape(bytes(replies[0].body).decode("utf-8", "replace")) if status != 200 else ""

    return run


def selector(data: bytes, dice: random.Random) -> Hashable:
    try:
        parsed = parse_selector(data.decode("utf-8", "replace"))
    except InvalidArgument as err:
        return shape(str(err))
    return len(parsed.requirements)


def file_target(name: str, read: Callable[[Path], object]) -> Target:
    """A reader of one file of a bundle."""
    place = tempfile.TemporaryDirectory(prefix="fuzz-")

    def run(data: bytes, dice: random.Random) -> Hashable:
        folder = Path(place.name)
        (folder / name).write_bytes(data)
        try:
            read(folder)
        except BentoMLException as err:
            return shape(str(err).replace(str(folder), ""))
        return "read"

    return run


def archive(data: bytes, dice: random.Random) -> Hashable:
    """What is refused leaves nothing behind, and nothing lies outside of the new folder."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        parent = Path(place, "in", "here")
        parent.mkdir(parents=True)
        try:
            extract_archive(io.BytesIO(data), parent, ArchiveLimits(entries=50, unpacked_bytes=1 << 20))
            did = "read"
        except BentoMLException as err:
            did = shape(str(err))
            assert list(parent.iterdir()) == []
        assert [path.name for path in Path(place).iterdir()] == ["in"]
        assert [path.name for path in Path(place, "in").iterdir()] == ["here"]
        return did


def tar(*members: tuple[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as made:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return out.getvalue()


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

SELECTORS = (
    b"env=prod, team in (a, b), owner notin (c), !old, kept",
    b"a!=b,c==d, e exists",
    b"team NotIn (x,y), stage DoesNotExist, x Exists",
)
BENTOML_YML = b"""version: 0.13.1
metadata:
  {service_name: Iris, service_version: "1.0", module_name: iris, module_file: iris.py}
env: {pip_packages: [numpy], python_version: 3.10.1, docker_base_image: x}
apis:
- {name: predict, input_type: JsonInput, mb_max_batch_size: 10, batch: true, route: p, max_batch_rows: 5}
artifacts:
- {name: model, artifact_type: PickleArtifact, metadata: {a: 1}}
"""
MANIFEST = manifest_text(
    Manifest({"a/b.py": FileEntry(3, "0" * 64, False), "c": FileEntry(0, "1" * 64, True)})
)
ARCHIVES = (
    tar(("bentoml.yml", BENTOML_YML), ("iris/a.py", b"x = 1\n")),
    tar(("top/bentoml.yml", BENTOML_YML), ("top/x", b"")),
    tar(("bentoml.yml", b""), mode="w:gz"),
)

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
    "selector": (lambda: selector, SELECTORS),
    "manifest": (lambda: file_target("bundle-manifest.json", read_manifest), [MANIFEST.encode()]),
    "descriptor": (lambda: file_target("bentoml.yml", read_descriptor), [BENTOML_YML]),
    "archive": (lambda: archive, ARCHIVES),
    "text": (lambda: pipeline_target(StringInput(), ["text/plain", "text/plain; charset=utf-16"]), JSON),
}


def mutated(corpus: Corpus, dice: random.Random) -> bytes:
    data = corpus.choose(dice)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        if data:
            data = dice.choice(MUTATIONS)(data, dice)
    if dice.random() < 0.1:
        data = data + dice.choice(BYTES) * dice.choice((1, 100, 20_000))
    return data


def fuzz(target: Target, corpus: Corpus, lasts_s: float, seed: int) -> int:
    dice = random.Random(seed)
    known = iter(corpus.known)
    runs, end = 0, time.monotonic() + lasts_s
    while time.monotonic() < end or runs < len(corpus.known):
        data = next(known, None)
        if data is None:
            data = mutated(corpus, dice)
        start = time.thread_time()
        try:
            did = target(data, dice)
        except Exception as err:
            raise AssertionError(f"{err!r} for {data[:2000]!r}") from err
        took_s = time.thread_time() - start
        assert took_s < SLOWEST_S, f"{took_s:.1f} s for {data[:2000]!r}"
        corpus.note(data, did)
        runs += 1
    corpus.save()
    return runs


async def fuzz_http(lasts_s: float, seed: int) -> int:
    """The head, chunks and pipelines of connections; the next connection must always work."""
    server, dice = Server(), random.Random(seed)
    good = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"
    corpus = Corpus("http", [good])
    known = iter(corpus.known)
    runs, end = 0, time.monotonic() + lasts_s
    while time.monotonic() < end or runs < len(corpus.known):
        data = next(known, None) or (stream(dice) if dice.random() < 0.5 else corpus.choose(dice))
        for _ in range(dice.choice((0, 1, 5)) if runs >= len(corpus.known) else 0):
            data = dice.choice(MUTATIONS)(data, dice) if data else data
        start = time.thread_time()
        found = await server.read(*pieces(data, dice))
        assert time.thread_time() - start < SLOWEST_S, data[:2000]
        assert found.status in (0, 400, 408, 413, 414, 417, 431, 501, 505), (found, data[:2000])
        assert (await server.read(good)).requests == [(b"POST", b"ok")]
        corpus.note(data, (found.status, shape(found.message), len(found.requests)))
        runs += 1
    corpus.save()
    return runs


@pytest.mark.parametrize("name", list(CASES))
def test_C4_decoders(name: str) -> None:
    make, seeds = CASES[name]
    assert fuzz(make(), Corpus(name, seeds), seconds(SHORT_S), 4) > 2


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
        runs = fuzz(make(), Corpus(name, seeds), seconds(LONG_S), seed)
    print(f"{name}: {runs} inputs")
