"""The few words of HTTP that direct transfers need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.rpc.status import shown


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its content; names of fields are in lower case."""

    method: str
    path: str
    fields: Mapping[str, str]

    def number(self, name: str) -> int:
        """A field that is a number. Raises `InvalidArgument`."""
        return _number(name, self.fields.get(name, ""))

    def range_start(self) -> int:
        """Where `Range: bytes=N-` begins; 0 without one. Raises `InvalidArgument`."""
        text = self.fields.get("range", "bytes=0-").strip()
        if not text.startswith("bytes=") or not text.endswith("-"):
            raise InvalidArgument("Range must be bytes=N-.")
        return _number("range", text[6:-1])


def parse_head(data: bytes) -> tuple[Head, bytes]:
    """The head of a request, and what came behind it."""
    raw, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").split("\r\n")
    method, path, *_ = [*first.split(" "), ""]
    pairs = (line.partition(":") for line in lines)
    return Head(method, path, {name.strip().lower(): value.strip() for name, _, value in pairs}), rest


def answer(status: int, fields: Mapping[str, object], content: bytes = b"") -> bytes:
    """The head of an answer, after which the connection ends, with its content."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in {**fields, "Connection": "close"}.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def error_answer(error: BentoMLException) -> bytes:
    """What a client is told about an error."""
    content = json.dumps({"error": shown(error), "grpc_code": error.grpc_code}).encode()
    fields = {"Content-Type": "application/json", "Content-Length": len(content)}
    return answer(error.http_status, fields, content)


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidArgument(f"The request has no sound {name}.")
    return int(text)
