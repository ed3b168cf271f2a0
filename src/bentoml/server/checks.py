"""Strict reading of a request head: what the parser lets through and this server does not.

A head that two programs could read differently is refused, because that difference is what request
smuggling lives on (RFC 9112 §2.2, §3.2, §6). The limits are those of the settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bentoml.settings import ServerSettings

HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*\Z")
DIGITS = re.compile(rb"[0-9]{1,19}\Z")
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
BAD_TARGET = re.compile(rb"[\x00-\x20\x7f-\xff]")
TIMEOUT_HEADER = b"x-request-timeout-ms"
PRIORITY_HEADER = b"x-request-priority"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a request is refused before anybody looked at its body. The connection is closed after it."""

    status: int
    message: str


@dataclass(slots=True)
class Framing:
    """What a head says about its message.

    Attributes:
        length: announced body bytes; None when chunked.
        priority: the class the client asks for; the operator's bound is applied later.
        timeout_s: the client's own deadline in seconds, if it sent one.
        expects_continue: it waits for `100 Continue`.
        cacheable: an identical head may be recognised without parsing it again.
    """

    length: int | None = 0
    timeout_s: float | None = None
    priority: int = 0
    expects_continue: bool = False
    cacheable: bool = True


class _Refused(Exception):
    """Carries a `Rejection` out of the checks below."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.rejection = Rejection(status, message)


def check_head(
    headers: Sequence[tuple[bytes, bytes]], version: str, target: bytes, limits: ServerSettings
) -> Framing | Rejection:
    """Framing of a head, or why it is refused. Header names are lower case already."""
    try:
        _check_sizes(headers, version, target, limits)
        return _Fields(version).read(headers, limits)
    except _Refused as err:
        return err.rejection


def _check_sizes(
    headers: Sequence[tuple[bytes, bytes]], version: str, target: bytes, limits: ServerSettings
) -> None:
    if not version.startswith("1."):
        status = 400 if version.startswith("0.") else 505
        raise _Refused(status, f"HTTP version {version} is not supported; use 1.1")
    if len(target) > limits.max_target_bytes:
        raise _Refused(414, f"the request target is over the limit of {limits.max_target_bytes} bytes")
    if BAD_TARGET.search(target):
        raise _Refused(400, "the request target has a byte that must be percent-encoded")
    if len(headers) > limits.max_headers:
        raise _Refused(431, f"more than {limits.max_headers} header fields")
    sizes = [len(name) + len(value) + 4 for name, value in headers]
    if sizes and max(sizes) > limits.max_header_line_bytes:
        raise _Refused(431, f"a header field is over the limit of {limits.max_header_line_bytes} bytes")
    if sum(sizes) > limits.max_header_bytes:
        raise _Refused(431, f"the header fields are over the limit of {limits.max_header_bytes} bytes")


class _Fields:
    """Reads the fields that decide where a message ends and what is expected of its receiver."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.framing = Framing(cacheable=version == "1.1")
        self.hosts = 0
        self.length: bytes | None = None
        self.coding: bytes | None = None

    def read(self, headers: Sequence[tuple[bytes, bytes]], limits: ServerSettings) -> Framing:
        for name, value in headers:
            if not TOKEN.match(name) or BAD_VALUE.search(value):
                raise _Refused(400, "a header field has a byte that is not allowed there")
            handler = _HANDLERS.get(name)
            if handler is not None:
                handler(self, value)
        if self.hosts > 1 or (self.hosts == 0 and self.version != "1.0"):
            raise _Refused(400, "exactly one Host header is needed")
        self._decide_length(limits)
        return self.framing

    def host(self, value: bytes) -> None:
        self.hosts += 1
        if not HOST.match(value):
            raise _Refused(400, "the Host header is not a host name")

    def content_length(self, value: bytes) -> None:
        if self.length is not None or not DIGITS.match(value):
            raise _Refused(400, "Content-Length must be one decimal number, sent once")
        self.length = value

    def transfer_encoding(self, value: bytes) -> None:
        if self.coding is not None:
            raise _Refused(400, "Transfer-Encoding must be sent once")
        self.coding = value

    def expect(self, value: bytes) -> None:
        if value.lower() != b"100-continue":
            raise _Refused(417, "the only Expect that is understood is 100-continue")
        self.framing.expects_continue = True
        self.framing.cacheable = False

    def timeout(self, value: bytes) -> None:
        if not DIGITS.match(value) or int(value) == 0:
            raise _Refused(400, "X-Request-Timeout-Ms must be a number of milliseconds above 0")
        self.framing.timeout_s = int(value) / 1000

    def priority(self, value: bytes) -> None:
        if not DIGITS.match(value):
            raise _Refused(400, "X-Request-Priority must be a whole number; 0 is the highest class")
        self.framing.priority = int(value)

    def connection(self, value: bytes) -> None:
        if value.lower() != b"keep-alive":
            self.framing.cacheable = False

    def _decide_length(self, limits: ServerSettings) -> None:
        if self.coding is not None:
            if self.length is not None or self.version == "1.0":
                raise _Refused(400, "Content-Length and Transfer-Encoding do not go together")
            if self.coding.lower() != b"chunked":
                raise _Refused(501, "the only Transfer-Encoding that is understood is chunked")
            self.framing.length = None
            self.framing.cacheable = False
        elif self.length is not None:
            self.framing.length = int(self.length)
            if self.framing.length > limits.max_request_size:
                raise _Refused(413, too_large(limits))


_HANDLERS: dict[bytes, Callable[[_Fields, bytes], None]] = {
    b"host": _Fields.host,
    b"content-length": _Fields.content_length,
    b"transfer-encoding": _Fields.transfer_encoding,
    b"expect": _Fields.expect,
    TIMEOUT_HEADER: _Fields.timeout,
    PRIORITY_HEADER: _Fields.priority,
    b"connection": _Fields.connection,
    b"upgrade": _Fields.connection,
}


def too_large(limits: ServerSettings) -> str:
    """The message of 413."""
    return (
        f"the request body is over the limit of {limits.max_request_size} bytes "
        "(bento_server.max_request_size, BENTOML_MAX_REQUEST_SIZE)"
    )
