"""Where a message begins and ends (B01-B19): what two programs could read differently is refused."""

from __future__ import annotations

import threading
import time

import pytest

from tests.server.live.process import ServerProcess, until
from tests.server.live.wire import JSON, Hangup, Wire, ask, get, raw, request, steady_requests

pytestmark = [pytest.mark.xdist_group("http"), pytest.mark.timeout(120)]

ROUTES = ("/echo", "/echo1")
KIND = "Content-Type: application/json"
HOST = "Host: localhost"
STALL_S = 1.0  # the promise is 0.1 s; machines that run tests are busy


@pytest.fixture(params=ROUTES, ids=["batched", "single"])
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def post_line(route: str) -> str:
    return f"POST {route} HTTP/1.1"


def refused(port: int, data: bytes, *statuses: int) -> None:
    """One answer with one of `statuses` that says the connection ends, and then it does."""
    with Wire(port) as wire:
        answer = wire.try_send(data).answer()
        assert answer.status in statuses, (answer, data[:200])
        assert answer.closes
        assert "/" not in answer.body.decode().replace("HTTP/", "")
        assert wire.is_closed()


def runs_nothing(server: ServerProcess, port: int, data: bytes, *statuses: int) -> None:
    before = len(server.executions("echo") + server.executions("echo1"))
    refused(port, data, *statuses)
    assert len(server.executions("echo") + server.executions("echo1")) == before


def test_B01_no_host(server: ServerProcess, port: int, route: str) -> None:
    data = raw(post_line(route), KIND, "Content-Length: 1", body=b"1")
    runs_nothing(server, port, data, 400)


@pytest.mark.parametrize("hosts", [("a", "b"), ("a", "a"), ("a b",), ("a@b",), ("a/b",)], ids="|".join)
def test_B02_odd_hosts(port: int, route: str, hosts: tuple[str, ...]) -> None:
    lines = [f"Host: {host}" for host in hosts]
    refused(port, raw(post_line(route), *lines, KIND, "Content-Length: 1", body=b"1"), 400)


@pytest.mark.parametrize("order", [0, 1])
def test_B03_length_and_chunked(server: ServerProcess, port: int, route: str, order: int) -> None:
    both = ["Content-Length: 1", "Transfer-Encoding: chunked"]
    lines = both if order == 0 else both[::-1]
    data = raw(post_line(route), HOST, KIND, *lines, body=b"1\r\n1\r\n0\r\n\r\n")
    runs_nothing(server, port, data, 400)


def test_B04_two_lengths(server: ServerProcess, port: int, route: str) -> None:
    for second in ("2", "1"):
        data = raw(post_line(route), HOST, KIND, "Content-Length: 1", f"Content-Length: {second}", body=b"12")
        runs_nothing(server, port, data, 400)


@pytest.mark.parametrize("length", ["-1", "+5", "0x5", "5, 6", "5 5", "1e3", "9" * 30, "", "5;", "٥"])
def test_B05_odd_length(port: int, route: str, length: str) -> None:
    line = f"Content-Length: {length}".encode()
    refused(port, raw(post_line(route), HOST, KIND, line, body=b"12345"), 400, 413)


@pytest.mark.parametrize(
    "line",
    [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: ",
        "Transfer-Encoding: chunked,chunked",
    ],
)
def test_B06_odd_transfer_encoding(server: ServerProcess, port: int, route: str, line: str) -> None:
    data = raw(post_line(route), HOST, KIND, line, body=b"1\r\n1\r\n0\r\n\r\n")
    runs_nothing(server, port, data, 400, 501)


def test_B06_tab_before_the_value_is_white_space(port: int, route: str) -> None:
    data = raw(post_line(route), HOST, KIND, "Transfer-Encoding:\tchunked", body=b"1\r\n1\r\n0\r\n\r\n")
    assert ask(port, data).status in (200, 400)


def chunked(route: str, body: bytes) -> bytes:
    return raw(post_line(route), HOST, KIND, "Transfer-Encoding: chunked", body=body)


@pytest.mark.parametrize("size", ["g", "-1", "0x5", "", "1 ", " 1", "0" * 17 + "g", "1" * 17])
def test_B07_odd_chunk_size(server: ServerProcess, port: int, route: str, size: str) -> None:
    data = chunked(route, f"{size}\r\n1\r\n0\r\n\r\n".encode())
    runs_nothing(server, port, data, 400, 413)


def test_B07_chunk_of_most_bytes_there_are(tight_port: int, route: str) -> None:
    """Its size can be read, so it is a body that does not come: no byte beyond the limit is kept."""
    refused(tight_port, chunked(route, b"F" * 16 + b"\r\n1\r\n0\r\n\r\n"), 400, 408, 413)
    refused(tight_port, chunked(route, b"F" * 16 + b"\r\n" + b"1" * 5000), 413)


def test_B08_chunk_without_its_end(server: ServerProcess, port: int, route: str) -> None:
    runs_nothing(server, port, chunked(route, b"1\r\n1XX0\r\n\r\n"), 400)


@pytest.mark.parametrize(
    "body", [b"1\n1\r\n0\r\n\r\n", b"1;a\nb\r\n1\r\n0\r\n\r\n", b"1;a\rb\r\n1\r\n0\r\n\r\n"]
)
def test_B09_bare_line_ends_in_chunk_heads(server: ServerProcess, port: int, route: str, body: bytes) -> None:
    runs_nothing(server, port, chunked(route, body), 400)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_B10_half_a_body(server: ServerProcess, port: int, route: str, how: str) -> None:
    before = len(server.executions("echo") + server.executions("echo1"))
    errors = error_count(port)
    with Wire(port) as wire:
        wire.send(request(route, b"[1, 2, 3]", headers=JSON)[:-4])
        if how == "fin":
            assert wire.finish_sending().is_closed()
        else:
            wire.reset()
    until(lambda: get(port, "/readyz").status == 200)
    assert len(server.executions("echo") + server.executions("echo1")) == before
    assert error_count(port) == errors


def error_count(port: int) -> list[str]:
    """The sample lines of 5xx in /metrics."""
    lines = get(port, "/metrics").body.decode().splitlines()
    return [line for line in lines if 'http_response_code="5' in line]


def test_B11_many_chunks(port: int, route: str) -> None:
    one = b"1\r\n \r\n"
    with steady_requests(port) as took:
        good = chunked(route, b"1\r\n1\r\n" + one * 59_999 + b"0\r\n\r\n")
        assert ask(port, good).status == 200
        refused(port, chunked(route, b"1\r\n1\r\n" + one * 69_999 + b"0\r\n\r\n"), 413)
        until(lambda: len(took) > 3)
    assert max(took) < STALL_S


def test_B12_huge_chunk_extension(server: ServerProcess, port: int, route: str) -> None:
    data = chunked(route, b"1;a=" + b"b" * (1 << 20) + b"\r\n1\r\n0\r\n\r\n")
    runs_nothing(server, port, data, 400, 431)


def test_B13_trailers_are_not_headers(port: int, route: str) -> None:
    """Not of this request and not of the next one on the connection, on both paths to the model."""
    for target in (route, f"http://localhost{route}"):
        for trailers in ("Content-Encoding: gzip", "Host: evil\r\nAuthorization: x\r\nContent-Encoding: br"):
            body = f"1\r\n7\r\n0\r\n{trailers}\r\n\r\n".encode()
            with Wire(port) as wire:
                for _ in range(3):
                    answer = wire.send(chunked(target, body)).answer()
                    assert (answer.status, answer.body) == (200, b"7"), target
                    answer = wire.send(request(target, b"8", headers=JSON)).answer()
                    assert (answer.status, answer.body) == (200, b"8"), target


def test_B13_trailers_that_say_where_a_message_ends(server: ServerProcess, port: int, route: str) -> None:
    for line in ("Content-Length: 3", "Transfer-Encoding: gzip"):
        answer = ask(port, chunked(route, f"1\r\n7\r\n0\r\n{line}\r\n\r\n".encode()))
        assert answer.status in (200, 400)


def test_B13_endless_trailers(port: int, route: str) -> None:
    body = b"1\r\n7\r\n0\r\n" + b"".join(b"t%d: %b\r\n" % (i, b"x" * 100) for i in range(20_000))
    refused(port, chunked(route, body), 400, 431)


def test_B14_long_target(port: int, route: str) -> None:
    refused(port, request(f"{route}?{'x' * (1 << 16)}", headers=JSON), 414, 431)
    assert ask(port, request(f"{route}?{'x' * 8000}", headers=JSON)).status == 200
    refused(port, request(f"{route}?{'x' * 9000}", headers=JSON), 414)


def test_B15_header_bombs(server: ServerProcess, port: int, route: str) -> None:
    refused(port, request(route, headers={**JSON, "X": "y" * (1 << 16)}), 431)
    refused(port, request(route, headers=[*JSON.items(), *((f"x{i}", "y") for i in range(1000))]), 431)
    refused(port, request(route, headers={**JSON, **{f"x{i}": "y" * 1000 for i in range(40)}}), 431)
    before = resident(server)
    with Wire(port) as wire:  # headers without an end
        wire.send(f"{post_line(route)}\r\nHost: localhost\r\n".encode())
        for i in range(1024):
            wire.try_send(f"x{i}: {'y' * 4000}\r\n".encode())
        assert wire.answer().status == 431
    assert resident(server) - before < 8 << 20


def resident(server: ServerProcess) -> int:
    """Bytes of memory of the front."""
    with open(f"/proc/{server.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize(
    "line",
    [
        b"X: a\r\n b",
        b"X : a",
        b"X: a\x00b",
        b"X: a\rb",
        b"X: a\nb: c",
        b"X(: a",
        b": a",
        b"X",
        b"X\x80: a",
        b"X: a\x7fb",
    ],
)
def test_B16_odd_fields(server: ServerProcess, port: int, route: str, line: bytes) -> None:
    data = raw(post_line(route), HOST, KIND, line, "Content-Length: 1", body=b"1")
    runs_nothing(server, port, data, 400)


def test_B16_odd_fields_are_not_remembered(server: ServerProcess, port: int, route: str) -> None:
    """A head is recognised by its bytes after it was seen twice; a bad one never gets there."""
    good = request(route, b"1", headers=JSON)
    bad = good.replace(b"Host:", b"Host :")
    with Wire(port) as wire:
        for _ in range(4):
            assert wire.send(good).answer().status == 200
        assert wire.send(bad).answer().status == 400
    for _ in range(3):
        runs_nothing(server, port, bad, 400)


def test_B17_versions(port: int, route: str) -> None:
    def with_version(version: str, *lines: str) -> bytes:
        return raw(f"POST {route} HTTP/{version}", *lines, KIND, "Content-Length: 1", body=b"1")

    with Wire(port) as wire:
        answer = wire.send(with_version("1.0")).answer()
        assert (answer.status, answer.body) == (200, b"1")
        assert wire.is_closed()
    assert ask(port, with_version("1.0", "Connection: keep-alive")).status == 200
    assert ask(port, with_version("1.2", HOST)).status == 200
    refused(port, with_version("3.0", HOST), 505)
    refused(port, with_version("2.0", HOST), 505)
    for odd in ("1", "1.1.1", "x.y", "11", " 1.1"):
        refused(port, with_version(odd, HOST), 400, 505)
    for nine in (f"GET {route}\r\n\r\n", f"GET {route} HTTP/0.9\r\n\r\n"):
        refused(port, nine.encode(), 400, 505)
    refused(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 405, 501, 505)


def test_B17_nothing_is_read_after_the_last_request(server: ServerProcess, port: int, route: str) -> None:
    """After `Connection: close`, and after an HTTP/1.0 request, the rest is not a request."""
    more = request(route, b'{"id": "beyond"}', headers=JSON)
    for first in (
        request(route, headers={**JSON, "Connection": "close"}),
        request(route, headers={**JSON, "Connection": "Close, TE"}),
        request(route, headers=JSON, version="1.0"),
        request("/healthz", None, "GET", {"Connection": "close"}),
    ):
        with Wire(port) as wire:
            answer = wire.send(first + more).answer()
            assert (answer.status, answer.closes) == (200, True)
            assert wire.is_closed()
    assert "beyond" not in [item for _, item in server.executions(route[1:])]


@pytest.mark.parametrize("count", [10, 10_000])
def test_B18_pipelined(server: ServerProcess, port: int, count: int) -> None:
    """All at once on one connection: answered in order, none refused, memory bounded."""
    before = resident(server)
    targets = [ROUTES[i % 2] if count == 10 else "/echo" for i in range(count)]
    data = b"".join(request(t, b"%d" % i, headers=JSON) for i, t in enumerate(targets))
    with Wire(port) as wire:
        sender = threading.Thread(target=lambda: wire.try_send(data))
        sender.start()
        answers = [wire.answer() for _ in range(count)]
        sender.join()
    assert [(a.status, a.body) for a in answers] == [(200, b"%d" % i) for i in range(count)]
    assert resident(server) - before < 32 << 20


def test_B18_pages_between_predictions(port: int) -> None:
    kinds = [
        request("/echo", b"1", headers=JSON),
        request("/livez", None, "GET"),
        request("/echo1", b"2", headers=JSON),
    ]
    with Wire(port) as wire:
        wire.send(b"".join(kinds * 5))
        bodies = [wire.answer().body for _ in range(15)]
    assert bodies == [b"1", b"alive\n", b"2"] * 5


def test_B18_one_byte_at_a_time(port: int, route: str) -> None:
    with Wire(port) as wire:
        for _ in range(3):
            for byte in request(route, b'{"a": [1]}', headers=JSON):
                wire.send(bytes([byte]))
            assert wire.answer().json() == {"a": [1]}


def test_B19_expect(server: ServerProcess, port: int, route: str) -> None:
    head = raw(post_line(route), HOST, KIND, "Content-Length: 1", "Expect: 100-continue")
    with Wire(port) as wire:
        assert wire.send(head).answer().status == 100
        answer = wire.send(b"5").answer()
        assert (answer.status, answer.body) == (200, b"5")
    too_much = raw(post_line(route), HOST, KIND, f"Content-Length: {1 << 30}", "Expect: 100-continue")
    runs_nothing(server, port, too_much, 413)
    runs_nothing(server, port, raw(post_line(route), HOST, KIND, "Content-Length: 1", "Expect: x"), 417)


def test_upgrade_is_not_taken_up(port: int, route: str) -> None:
    """A client that offers another protocol is served in this one (RFC 9110 §7.8)."""
    fields = {**JSON, "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    with Wire(port) as wire:
        for i in range(3):
            answer = wire.send(request(route, b"%d" % i, headers=fields)).answer()
            assert (answer.status, answer.body) == (200, b"%d" % i)
        page = wire.send(request("/livez", None, "GET", fields)).answer()
        assert (page.status, page.body) == (200, b"alive\n")


def test_body_sizes_do_not_add_up_over_a_connection(port: int) -> None:
    big = b'"' + b"x" * (12 << 20) + b'"'
    with Wire(port) as wire:
        assert wire.send(request("/echo", big, headers=JSON)).answer().status == 200
        for _ in range(2):
            assert wire.send(request("/nowhere", big, headers=JSON)).answer().status == 404
        assert wire.send(request("/echo1", big, headers=JSON)).answer().status == 200


def test_answer_comes_once(port: int) -> None:
    """A page may answer before the body is over; what follows of the body gets no second answer."""
    with Wire(port) as wire:
        wire.try_send(request("/readyz", b"x" * (30 << 20)))
        first = wire.answer()
        assert first.status in (405, 413)
        with pytest.raises((Hangup, TimeoutError)) as ended:
            wire.sock.settimeout(5)
            wire.answer()
        if isinstance(ended.value, Hangup):
            assert ended.value.received == b""


def test_timing_of_a_refusal(port: int) -> None:
    """A refusal does not wait for the rest of the request."""
    start = time.monotonic()
    with Wire(port) as wire:
        wire.send(raw(post_line("/echo"), HOST, KIND, f"Content-Length: {1 << 30}"))
        assert wire.answer().status == 413
    assert time.monotonic() - start < 5
