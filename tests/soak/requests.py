"""Streams of HTTP/1 requests as clients send them, and as nobody should."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

ODD_LINES = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding : chunked",
    b"Content-Length: 3",
    b"Content-Length: +3",
    b"Content-Length: 3, 3",
    b"Content-Length: 0x3",
    b"Content-Length:",
    b"Host: other",
    b"Host: a b",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b" folded: yes",
    b"name with space: 1",
    b"no colon at all",
    b"X: a\x00b",
    b"X: a\rb",
    b"(x): 1",
    b": empty",
    b"X-Long: " + b"y" * 9000,
    b"Trailer: X-T",
    b"X-Request-Timeout-Ms: 100",
    b"X-Request-Timeout-Ms: -1",
)
BYTES = (b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b":", b",", b";", b"0", b"f", b"\xff", b"\x7f", b"-")


def stream(dice: random.Random) -> bytes:
    """One to four requests behind each other; about half of the streams have a fault somewhere."""
    data = b"".join(one(dice) for _ in range(dice.choice((1, 1, 1, 2, 3, 4))))
    if dice.random() < 0.3:
        data = dice.choice(MUTATIONS)(data, dice)
    return data


def one(dice: random.Random) -> bytes:
    method = dice.choice((b"POST",) * 6 + (b"GET", b"PUT", b"HEAD", b"post", b"FOO"))
    target = dice.choice((b"/a",) * 4 + (b"/b", b"/a?x=1", b"/nowhere", b"*", b"a", b"http://h/a"))
    version = dice.choice((b"1.1",) * 12 + (b"1.0", b"1.2", b"2.0", b"0.9"))
    body = dice.randbytes(dice.choice((0, 0, 1, 3, 17, 300)))
    lines = [b"%b %b HTTP/%b" % (method, target, version)]
    if dice.random() < 0.97:
        lines.append(b"Host: localhost")
    if method != b"GET" or dice.random() < 0.2:
        if dice.random() < 0.3:
            lines.append(b"Transfer-Encoding: chunked")
            body = chunked(body, dice)
        else:
            lines.append(b"Content-Length: %d" % len(body))
    else:
        body = b""
    if dice.random() < 0.25:
        lines.insert(dice.randrange(1, len(lines) + 1), dice.choice(ODD_LINES))
    return b"\r\n".join([*lines, b"", b""]) + body


def chunked(body: bytes, dice: random.Random) -> bytes:
    parts = []
    while body:
        size = dice.randrange(1, len(body) + 1)
        extension = dice.choice((b"",) * 6 + (b";a=b", b"; a", b" "))
        parts.append(b"%x%b\r\n%b\r\n" % (size, extension, body[:size]))
        body = body[size:]
    trailer = dice.choice((b"",) * 5 + (b"X-T: 1\r\n", b"Content-Length: 9\r\n", b"bad\r\n"))
    return b"".join(parts) + b"0\r\n" + trailer + b"\r\n"


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def insert(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + dice.choice(BYTES) + data[at:]


def replace(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + dice.choice(BYTES) + data[at + 1 :]


def remove(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + data[at + dice.choice((1, 1, 2, 4)) :]


def repeat(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    piece = data[at : at + dice.randrange(1, 40)]
    return data[:at] + piece * dice.choice((2, 3, 50)) + data[at:]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (cut, insert, replace, remove, repeat)


def pieces(data: bytes, dice: random.Random) -> list[bytes]:
    """The same bytes as a network may deliver them."""
    if dice.random() < 0.5:
        return [data]
    edges = sorted({0, len(data), *(dice.randrange(len(data) + 1) for _ in range(dice.choice((1, 3, 12))))})
    return [data[a:b] for a, b in itertools.pairwise(edges)]
