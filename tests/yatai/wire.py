"""A client of the wire format alone, for tests of the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import grpc

from bentoml.rpc import convert

NEW = (("bentoml-client", "test"),)


class Wire:
    """Calls RPCs by name with plain fields; `metadata` goes with every call."""

    def __init__(self, port: int, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.metadata = metadata

    def call(self, name: str, /, **fields: Any) -> dict[str, Any]:
        method = convert.method(name)
        data = convert.write(method.request, fields)
        answer = self.channel.unary_unary(method.path)(data, metadata=self.metadata, timeout=60)
        return convert.read(method.response, answer)

    def send(self, name: str, requests: Iterable[dict[str, Any]], timeout: float = 60) -> dict[str, Any]:
        method = convert.method(name)
        data = (convert.write(method.request, fields) for fields in requests)
        answer = self.channel.stream_unary(method.path)(data, metadata=self.metadata, timeout=timeout)
        return convert.read(method.response, answer)

    def fetch(self, name: str, /, **fields: Any) -> Iterator[dict[str, Any]]:
        method = convert.method(name)
        data = convert.write(method.request, fields)
        for answer in self.channel.unary_stream(method.path)(data, metadata=self.metadata, timeout=60):
            yield convert.read(method.response, answer)

    def raw(self, path: str, data: bytes) -> bytes:
        answer: bytes = self.channel.unary_unary(path)(data, metadata=self.metadata, timeout=60)
        return answer

    def close(self) -> None:
        self.channel.close()
