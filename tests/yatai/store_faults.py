"""An HTTP proxy before a real object store that fails as stores do: refuses, hangs, cuts, damages."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
_HOP = ("connection", "transfer-encoding", "content-length", "host", "expect")


class FaultyStore:
    """Forwards to `endpoint`, until `fail` says what to do instead.

    `fail(method, path)` returns None, or one of `500`, `SlowDown`, `AccessDenied`, `ExpiredToken` (answers of
    S3), `hang`, `cut upload` (the connection ends while the body is read), `cut download` (half of the
    answer), `damage` (other bytes of the same length).
    """

    def __init__(self, endpoint: str) -> None:
        self.fail: Callable[[str, str], str | None] = lambda _method, _path: None
        self.asked: list[tuple[str, str]] = []
        self.released = threading.Event()
        self._target = urlsplit(endpoint)
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do(self) -> None:
                with contextlib.suppress(ConnectionError):
                    faulty._serve(self)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = do

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyStore:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def count(self, method: str) -> int:
        return sum(asked == method for asked, _ in self.asked)

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.command, request.path))
        fault = self.fail(request.command, request.path)
        if fault == "hang":
            self.released.wait(120)
        if fault in ("hang", "cut upload"):
            request.close_connection = True
            request.connection.close()
            return
        body = _body(request)
        if fault is not None and fault not in ("cut download", "damage"):
            status = {"500": 500, "SlowDown": 503}.get(fault, 403)
            code = "InternalError" if fault == "500" else fault
            _answer(request, status, [], _ERROR.format(code=code).encode())
            return
        status, headers, answer = self._forward(request, body)
        if fault == "damage":
            answer = bytes(byte ^ 1 for byte in answer)
        _answer(request, status, headers, answer, cut=fault == "cut download")

    def _forward(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(str(self._target.hostname), self._target.port, timeout=60)
        connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for key, value in request.headers.items():
            if key.lower() not in _HOP or key.lower() == "host":
                connection.putheader(key, value)
        if body or request.command in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        headers = [(key, value) for key, value in answer.getheaders() if key.lower() not in _HOP]
        if request.command == "HEAD":
            headers.append(("Content-Length", answer.getheader("Content-Length") or "0"))
        return answer.status, headers, data


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Expect"):
        request.send_response_only(100)
        request.end_headers()
    if "chunked" not in request.headers.get("Transfer-Encoding", ""):
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    parts = []
    while size := int(request.rfile.readline().split(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)


def _answer(
    request: BaseHTTPRequestHandler,
    status: int,
    headers: list[tuple[str, str]],
    body: bytes,
    *,
    cut: bool = False,
) -> None:
    request.send_response_only(status)
    for key, value in headers:
        request.send_header(key, value)
    if request.command != "HEAD":
        request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command == "HEAD":
        return
    request.wfile.write(body[: len(body) // 2] if cut else body)
    if cut:
        request.wfile.flush()
        request.close_connection = True
        request.connection.close()
