"""A client on a raw socket: sends exactly the bytes it is given and reads one answer at a time."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 30.0
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


class Hangup(Exception):
    """The connection ended before an answer was complete. `received` is what came of it."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"the connection ended after {received[:80]!r}")
        self.received = received


def request(
    target: str = "/echo",
    body: bytes | None = b"1",
    method: str = "POST",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    version: str = "1.1",
) -> bytes:
    """The bytes of a well-formed request."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in pairs]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def raw(*lines: str | bytes, body: bytes = b"") -> bytes:
    """Lines joined as they are, with the blank line after them."""
    parts = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    return b"\r\n".join([*parts, b"", b""]) + body


class Wire:
    """One connection."""

    def __init__(self, port: int, patience_s: float = PATIENCE_S) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self._buffer = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> Wire:
        self.sock.sendall(data)
        return self

    def try_send(self, data: bytes) -> Wire:
        """As `send`, for a server that may close before it has read everything."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(data)
        return self

    def finish_sending(self) -> Wire:
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def finish_sending_if_open(self) -> Wire:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next answer. Raises `Hangup` when the connection ends inside or before it."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        status = int(first.split(" ")[1])
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        if to_head or status < 200 or status in (204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._chunks())
        return Answer(status, headers, self._exactly(int(headers["content-length"])))

    def is_closed(self) -> bool:
        """Whether the server ends the connection without another byte (waits for it)."""
        try:
            return self._buffer == b"" and self.sock.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            body += self._exactly(size)
            self._exactly(2)
            if not size:
                return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._read()
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._read()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _read(self) -> None:
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionError:
            raise Hangup(self._buffer) from None
        if not data:
            raise Hangup(self._buffer)
        self._buffer += data


def ask(port: int, data: bytes, patience_s: float = PATIENCE_S) -> Answer:
    """Send bytes on a connection of their own and return the first answer."""
    with Wire(port, patience_s) as wire:
        return wire.try_send(data).answer()


def post(
    port: int,
    target: str,
    value: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes | None = None,
    patience_s: float = PATIENCE_S,
) -> Answer:
    """POST a JSON value, or exactly `body`, on a connection of its own."""
    data = json.dumps(value).encode() if body is None else body
    fields = {**JSON, **(headers or {})}
    return ask(port, request(target, data, headers=fields), patience_s)


def get(port: int, target: str, headers: Mapping[str, str] | None = None) -> Answer:
    return ask(port, request(target, None, "GET", headers or {}))


def all_at_once(port: int, requests: Sequence[bytes], patience_s: float = PATIENCE_S) -> list[Answer]:
    """Send each request on a connection of its own before any answer is read; answers in order."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(port, patience_s)) for _ in requests]
        for wire, data in zip(wires, requests, strict=True):
            wire.send(data)
        return [wire.answer() for wire in wires]


def still_serves(port: int) -> None:
    """What must hold after every test: ready, and both kinds of API give the right answer."""
    assert get(port, "/readyz").status == 200
    for route in ("/echo", "/echo1"):
        answer = post(port, route, {"ok": [1, 2.5, None]})
        assert (answer.status, answer.json()) == (200, {"ok": [1, 2.5, None]})


@contextlib.contextmanager
def steady_requests(port: int, route: str = "/echo", every_s: float = 0.02) -> Iterator[list[float]]:
    """Requests of somebody else, one after the other; yields the seconds each has taken so far."""
    took: list[float] = []
    stop = threading.Event()

    def run() -> None:
        with Wire(port) as wire:
            while not stop.wait(every_s):
                start = time.monotonic()
                assert wire.send(request(route, headers=JSON)).answer().status == 200
                took.append(time.monotonic() - start)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield took
    finally:
        stop.set()
        thread.join()
