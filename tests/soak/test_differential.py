"""C3: our reading of HTTP/1 against h11, another strict parser, on generated streams.

Both say how many requests a stream holds, with which methods and bodies, and whether it is refused. What
differs must be one of the differences below, each of which has a reason: we refuse more, and what we take
is what h11 takes, byte for byte.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter

import h11
import pytest

from tests.server.live.inprocess import Read, Server

from .requests import pieces, stream


def read_by_h11(data: bytes) -> Read:
    found = Read()
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    method, body = b"", b""
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                method, body = event.method, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                found.requests.append((method, body))
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return found
                connection.start_next_cycle()
            else:
                return found
    except h11.RemoteProtocolError as err:
        found.status = err.error_status_hint
    return found


async def compare(count: int, seed: int) -> tuple[Counter[str], list[tuple[bytes, Read, Read]]]:
    server, dice = Server(), random.Random(seed)
    tally: Counter[str] = Counter()
    unexplained = []
    for _ in range(count):
        data = stream(dice)
        ours, theirs = await server.read(*pieces(data, dice)), read_by_h11(data)
        same = Counter(ours.requests) == Counter(theirs.requests)  # pages are answered a moment later
        if same and bool(ours.status) == bool(theirs.status):
            tally["refused by both" if ours.status else "the same"] += 1
            continue
        reason = explain(data, ours, theirs)
        if reason is None:
            unexplained.append((data, ours, theirs))
        else:
            tally[reason] += 1
    return tally, unexplained


STRICTER = {
    "Invalid HTTP request received.": "targets without a slash, lower-case or half a method, odd chunks",
    "HTTP version 0.9": "h11 reads any version of one digit, a dot and one digit",
    "HTTP version 2.0": "as above",
    "HTTP version": "a version that a fault made",
    "Not Implemented: unknown method": "h11 leaves methods to its user",
    "Content-Length and Transfer-Encoding do not go together": "smuggling (B03); h11 lets the coding win",
    "a header field is over the limit": "our limit is 8 KiB for one field (B15)",
    "the request head is over the limit": "our limit is 32 KiB for all (B15)",
    "X-Request-Timeout-Ms must be": "a field only we know",
    "the Host header is not a host name": "h11 leaves the host to its user (B02)",
    "exactly one Host header": "h11 asks for it in 1.1 only, we in 1.2 too",
    "the only Expect that is understood": "h11 leaves it to its user (B19)",
    "this server does not switch protocols": "an Upgrade whose message has no plain length",
    "the only Transfer-Encoding": "a coding list that a fault made, such as one behind a tab (B06)",
    "Content-Length must be": "white space after the digits, which h11 cuts off",
    "the request target": "our limits and our bytes of a target (B14, B21)",
    "more than": "our limit on the number of fields (B15)",
}
SKIPPED = re.compile(rb"  |(\r?\n){3}|(\A|[\r\n])[\r\n]*(GET|POST|PUT|HEAD) ")
WAITS = "we still wait for the end of a line that h11 refuses by its beginning"
LENIENT = "several spaces in the request line, or line ends between requests, which RFC 9112 allows to skip"


def explain(data: bytes, ours: Read, theirs: Read) -> str | None:
    """Why it is right that the two differ; None if nothing says so. A request is never another one."""
    we, they = Counter(ours.requests), Counter(theirs.requests)
    if ours.status and we <= they:
        return next((start for start in STRICTER if ours.message.startswith(start)), None)
    if not ours.status and they == we:
        return WAITS
    if not ours.status and they <= we and SKIPPED.search(data):
        return LENIENT
    return None


def check(count: int, seed: int) -> None:
    tally, unexplained = asyncio.run(compare(count, seed))
    print(dict(tally), len(unexplained))
    for data, ours, theirs in unexplained[:12]:
        print(data[:400], "\n   ours:  ", ours, "\n   theirs:", theirs)
    assert not unexplained
    assert tally["the same"] > 0.2 * count
    assert tally["refused by both"] > 0.02 * count


def test_C3_three_thousand_streams() -> None:
    check(3000, 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_C3_a_hundred_thousand_streams() -> None:
    check(100_000, 2)
