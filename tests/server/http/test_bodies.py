"""Size, compression and charset of bodies (B25-B43), and JSON where HTTP matters (B44-B59)."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import struct
import threading
import time
import zlib

import pytest

from tests.server.live.process import ServerProcess
from tests.server.live.wire import (
    JSON,
    Wire,
    all_at_once,
    ask,
    post,
    raw,
    request,
    steady_requests,
    still_serves,
)

pytestmark = [pytest.mark.xdist_group("http"), pytest.mark.timeout(120)]

LIMIT = 20 << 20
GZIP = {"Content-Encoding": "gzip"}
CHUNKED = "Transfer-Encoding: chunked"
LINES = ("Host: localhost", "Content-Type: application/json")


@pytest.fixture(params=["", "1"], ids=["batched", "single"])
def twin(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def status(port: int, route: str, body: bytes, headers: dict[str, str] | None = None) -> int:
    return post(port, route, body=body, headers=headers).status


def peak(server: ServerProcess) -> int:
    """Most bytes of memory so far, the front and its workers together."""
    total = 0
    for pid in (server.pid, *server.workers()):
        with open(f"/proc/{pid}/status") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
    return total


def test_B25_no_body(port: int, twin: str) -> None:
    line = f"POST /echo{twin} HTTP/1.1"
    assert ask(port, raw(line, *LINES)).status == 400
    assert ask(port, raw(line, *LINES, "Content-Length: 0")).status == 400
    assert ask(port, raw(line, *LINES, CHUNKED, body=b"0\r\n\r\n")).status == 400


def test_B26_white_space_and_null(port: int, twin: str) -> None:
    assert status(port, f"/echo{twin}", b" \r\n\t ") == 400
    answer = post(port, f"/echo{twin}", body=b" null\n")
    assert (answer.status, answer.json()) == (200, None)


def test_B27_limit(server: ServerProcess, port: int, twin: str) -> None:
    for size, expected in ((LIMIT - 1, 200), (LIMIT, 200), (LIMIT + 1, 413)):
        body = bytes(size)
        answer = post(port, f"/file{twin}", body=body)
        assert answer.status == expected
        if expected == 200:
            assert answer.json() == [size, hashlib.sha256(body).hexdigest()]


def test_B27_small_limit(tight_port: int, twin: str) -> None:
    for size, expected in ((4095, 200), (4096, 200), (4097, 413)):
        body = b'"' + b"x" * (size - 2) + b'"'
        assert status(tight_port, f"/echo{twin}", body) == expected
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:2000], body[2000:])) + b"0\r\n\r\n"
        chunked = raw(f"POST /echo{twin} HTTP/1.1", *LINES, CHUNKED, body=pieces)
        assert ask(tight_port, chunked).status == expected
        assert status(tight_port, f"/echo{twin}", gzip.compress(body), GZIP) == expected
    for chunks, expected in ((16, 200), (17, 413)):
        body = b"1\r\n1\r\n" * chunks + b"0\r\n\r\n"
        answer = ask(tight_port, raw(f"POST /echo{twin} HTTP/1.1", *LINES, CHUNKED, body=body))
        assert answer.status == expected


def test_B28_endless_chunks(server: ServerProcess, port: int, twin: str) -> None:
    before = peak(server)
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with Wire(port) as wire:
        wire.send(raw(f"POST /file{twin} HTTP/1.1", *LINES, CHUNKED))
        sent = 0
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                wire.send(chunk)
                sent += 1
                time.sleep(0.02 if sent > 25 else 0)  # the server drops what comes after its answer
        assert sent < 200
        with contextlib.suppress(ConnectionError):
            assert wire.answer().status == 413
    assert peak(server) - before < LIMIT + (40 << 20)


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP"])
def test_B29_gzip(port: int, twin: str, name: str) -> None:
    answer = post(port, f"/echo{twin}", body=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": name})
    assert (answer.status, answer.json()) == (200, {"a": 1})


def test_B30_B31_B32_B36_B37_broken_gzip(port: int, twin: str) -> None:
    good = gzip.compress(b'{"a": 1}')
    for body in (
        good[:-8],
        good[:-1],
        good[:12],
        good[:-8] + struct.pack("<II", 1, 8),
        good[:-4] + struct.pack("<I", 9),
        b'{"a": 1}',
        b"",
        gzip.compress(b""),
        good + b"garbage",
        zlib.compress(b'{"a": 1}'),
    ):
        assert status(port, f"/echo{twin}", body, GZIP) == 400, body
    assert status(port, f"/echo{twin}", good) == 400


def test_B33_bomb(server: ServerProcess, port: int, twin: str) -> None:
    bomb = gzip.compress(bytes(100 << 20))
    assert status(port, f"/echo{twin}", gzip.compress(bytes(LIMIT)), GZIP) == 400  # the most there may be
    before = peak(server)
    for _ in range(3):
        answer = post(port, f"/echo{twin}", body=bomb, headers=GZIP)
        assert answer.status == 413
        assert str(LIMIT) in answer.body.decode()
    assert peak(server) - before < 52 << 20


def test_B34_B35_other_encodings(port: int, twin: str) -> None:
    bomb = gzip.compress(gzip.compress(bytes(1 << 20)))
    assert status(port, f"/echo{twin}", bomb, {"Content-Encoding": "gzip, gzip"}) == 415
    for name in ("br", "zstd", "compress", "foo", "deflate"):
        assert status(port, f"/echo{twin}", b"1", {"Content-Encoding": name}) == 415
    assert status(port, f"/echo{twin}", b"1", {"Content-Encoding": "identity"}) == 200
    twice = request(f"/echo{twin}", bomb, headers=[*JSON.items(), *GZIP.items(), *GZIP.items()])
    assert ask(port, twice).status in (400, 413, 415)


def test_B36_many_members(port: int, twin: str) -> None:
    start = time.monotonic()
    assert status(port, f"/echo{twin}", gzip.compress(b"") * 10_000, GZIP) in (400, 413)
    assert time.monotonic() - start < 5


CHARSETS = [
    "foo",
    "../../x",
    "x" * 5000,
    "undefined",
    "punycode",
    "utf-7",
    "unicode_escape",
    "raw_unicode_escape",
    "idna",
    "rot13",
    "hex",
    "zlib",
]


@pytest.mark.parametrize("charset", CHARSETS, ids=lambda c: c[:12])
def test_B38_B39_B40_charsets(port: int, twin: str, charset: str) -> None:
    for route in (f"/echo{twin}", f"/text{twin}"):
        kind = f"application/json; charset={charset}"
        answer = post(port, route, body=b"1", headers={"Content-Type": kind})
        assert answer.status == 415, route
        assert len(answer.body) < 512


def test_B38_empty_charset(port: int, twin: str) -> None:
    for value in ("", '""'):
        headers = {"Content-Type": f"application/json; charset={value}"}
        assert status(port, f"/echo{twin}", b"1", headers) in (200, 415)
    nul = b"Content-Type: application/json; charset=a\0b"
    data = raw(f"POST /echo{twin} HTTP/1.1", "Host: localhost", nul, "Content-Length: 1", body=b"1")
    assert ask(port, data).status == 400


@pytest.mark.parametrize("data", [b"\xc3\x28", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f", b"\xff"])
def test_B41_invalid_utf8(port: int, twin: str, data: bytes) -> None:
    assert status(port, f"/echo{twin}", b'"' + data + b'"') == 400
    assert status(port, f"/text{twin}", data, {"Content-Type": "text/plain"}) == 400


def test_B42_byte_order_marks(port: int, twin: str) -> None:
    """A mark of the named charset is dropped; UTF-16 has to be named."""
    text = '{"ä": "€"}'
    for codec, charset, expected in (
        ("utf-8-sig", "", 200),
        ("utf-8-sig", "; charset=utf-8", 200),
        ("utf-16", "", 400),
        ("utf-16", "; charset=utf-16", 200),
        ("utf-16-le", "; charset=utf-16le", 200),
        ("utf-16-be", "; charset=UTF-16BE", 200),
    ):
        kind = {"Content-Type": f"application/json{charset}"}
        answer = post(port, f"/echo{twin}", body=text.encode(codec), headers=kind)
        assert answer.status == expected, (codec, charset)
        if expected == 200:
            assert answer.json() == {"ä": "€"}


def test_B43_text_is_kept_to_the_byte(port: int, twin: str) -> None:
    samples = ["x" * (10 << 20), "a\0b\r\n", "\u202eabc\u202c", "🚀" * 1000, " ", "\t\n"]
    for text in samples:
        data = text.encode()
        answer = post(port, f"/text{twin}", body=data, headers={"Content-Type": "text/plain"})
        assert answer.json() == [len(data), hashlib.sha256(data).hexdigest()]


BROKEN = [b"{", b'{"a":}', b"[1,]", b"{'a':1}", b"// x", b"undefined", b'"\x01"', b"{} {}", b"{}x", b"{}\0"]
NUMBERS = [b"NaN", b"Infinity", b"-Infinity", b"[1, NaN]", b"1e999"]


@pytest.mark.parametrize(
    "body", [*BROKEN, *NUMBERS, b"9" * 4301, b"9" * 1_000_000], ids=lambda b: repr(b[:12])
)
def test_B44_B45_B46_B47_bad_json(port: int, twin: str, body: bytes) -> None:
    answer = post(port, f"/echo{twin}", body=body)
    assert answer.status == 400
    assert len(answer.body) < 512
    assert b"/" not in answer.body
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "18446744073709551616", "-9223372036854775809", "4" * 300]
)
def test_B48_integers_are_exact(port: int, twin: str, text: str) -> None:
    answer = post(port, f"/echo{twin}", body=text.encode())
    assert (answer.status, answer.body) == (200, text.encode())


@pytest.mark.parametrize("number", ["0.12345678901234567", "-0.0", "1e-320", "0.1"])
def test_B48_floats_are_exact(port: int, twin: str, number: str) -> None:
    answer = post(port, f"/echo{twin}", body=number.encode())
    assert repr(answer.json()) == repr(float(number))


@pytest.mark.parametrize("kind", ["[", '{"a":'], ids=["list", "object"])
def test_B49_depth(port: int, twin: str, kind: str) -> None:
    close = "]" if kind == "[" else "}"
    inner = "" if kind == "[" else "1"
    for depth, expected in ((128, 200), (129, 400), (1000, 400), (100_000, 400)):
        assert status(port, f"/echo{twin}", (kind * depth + inner + close * depth).encode()) == expected, (
            depth
        )
        assert status(port, f"/echo{twin}", (kind * depth).encode()) == 400


def test_B50_last_duplicate_wins(port: int, twin: str) -> None:
    for body in (b'{"a": 1, "a": 2}', b'{"a": 1, "a": 2, "n": 99999999999999999999}'):
        assert post(port, f"/echo{twin}", body=body).json()["a"] == 2


def test_B51_B55_large_values(port: int) -> None:
    keys = json.dumps({str(i): i for i in range(1_000_000)}).encode()
    lists = b"[" + b",".join([b"[]"] * 1_000_000) + b"]"
    text = b'"' + b"x" * (19 << 20) + b'"'
    with steady_requests(port) as took:
        for body in (keys, lists, text):
            assert post(port, "/echo", body=body).status == 200
    assert took


def test_B52_lone_surrogate(port: int, twin: str) -> None:
    answer = post(port, f"/echo{twin}", body=b'"\\ud800"')
    assert answer.status == 400 or answer.body.lower() == b'"\\ud800"'


def test_B53_B54_plain_data(port: int, twin: str) -> None:
    odd = {"__class__": "os", "__proto__": {}, "__reduce__": 1, "$ref": "#", "py/object": "os.system"}
    for value in (odd, "text", 5, 1.5, True, None, [], {}):
        assert post(port, f"/echo{twin}", value).json() == value


def test_B56_B58_content_types(port: int, twin: str) -> None:
    """Any declared type is read as JSON, as in 0.13; a form is a form."""
    for kind in ("APPLICATION/JSON", 'application/json;;charset="utf-8"', "text/plain", "application/x-foo"):
        assert post(port, f"/echo{twin}", 1, {"Content-Type": kind}).status == 200
    assert ask(port, request(f"/echo{twin}", b"1")).status == 200
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert status(port, f"/echo{twin}", b"a=1&b=2", form) in (400, 415)
    start = time.monotonic()
    assert post(port, f"/echo{twin}", 1, {"Content-Type": "a/b" + ";a=a" * 25_000}).status == 431
    assert post(port, f"/echo{twin}", 1, {"Content-Type": "a/b" + ";a=a" * 2000}).status == 200
    assert time.monotonic() - start < 5
    two = request(f"/echo{twin}", b"1", headers=[("Content-Type", "a/b"), ("Content-Type", "c/d")])
    assert ask(port, two).status in (200, 400)


@pytest.mark.parametrize(
    "field",
    [
        ("Accept", "image/png"),
        ("Accept-Encoding", "gzip;q=banana, *;q=0"),
        ("Accept-Language", "x" * 8000),
        ("Range", "bytes=0-"),
        ("If-None-Match", "*"),
        ("Content-Range", "bytes 0-1/2"),
    ],
    ids=lambda f: f[0],
)
def test_B59_fields_that_change_nothing(port: int, twin: str, field: tuple[str, str]) -> None:
    answer = post(port, f"/echo{twin}", [1], dict([field]))
    assert (answer.status, answer.body) == (200, b"[1]")
    assert answer.headers["content-type"].startswith("application/json")


def test_B57_good_and_bad_in_one_window(port: int) -> None:
    good = [request("/echo", b'{"id": %d}' % i, headers=JSON) for i in range(100)]
    bad = [request("/echo", b'{"id": ', headers=JSON)] * 100
    mixed = [r for pair in zip(good, bad, strict=True) for r in pair]
    answers = all_at_once(port, mixed)
    assert [a.status for a in answers] == [200, 400] * 100
    assert [a.json()["id"] for a in answers[::2]] == list(range(100))


def test_P3_batched_answers_are_those_of_one_at_a_time(port: int) -> None:
    """Many kinds of requests in flight together, on several connections, against their lone answers."""
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (b, {}) for b in (*BROKEN, *NUMBERS, b"1" * 25, b"[1]", b'{"a":[2]}')
    ]
    bodies += [(gzip.compress(b'{"z":1}'), GZIP), (b"1", GZIP), (b"1", {"Content-Encoding": "br"})]
    bodies += [('{"ä":1}'.encode("utf-16"), {"Content-Type": "application/json; charset=utf-16"})]
    bodies += [(b'{"i":%d}' % i, {}) for i in range(20)]
    requests = [request("/echo", body, headers={**JSON, **headers}) for body, headers in bodies]
    alone = [ask(port, data) for data in requests]
    wrong: list[object] = []

    def connection(offset: int) -> None:
        with Wire(port) as wire:
            for step in range(150):
                which = (offset * 7 + step * 5) % len(requests)
                answer = wire.send(requests[which]).answer()
                if (answer.status, answer.body) != (alone[which].status, alone[which].body):
                    wrong.append((bodies[which], answer))

    threads = [threading.Thread(target=connection, args=(i,)) for i in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_P3_one_bad_among_31_good(server: ServerProcess) -> None:
    """An item on which the function raises, among others in its batch: exactly one error."""
    held = request("/slow", b'{"ms": 300}', headers=JSON)  # while it runs, the others gather
    items = [request("/boom", b'{"id": %d}' % i, headers=JSON) for i in range(31)]
    items.insert(16, request("/boom", b'{"do": "raise", "text": "only me"}', headers=JSON))
    answers = all_at_once(server.port, [held, *items])[1:]
    assert [a.status for a in answers] == [200] * 16 + [500] + [200] * 15
    assert answers[16].body == b"Exception happened in API function: only me"
    assert [a.json()["id"] for i, a in enumerate(answers) if i != 16] == list(range(31))
    still_serves(server.port)
