"""`bentoml.testing`: a client for unit tests."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from contracts.probe import echo, make_client

import bentoml
from bentoml.adapters import DecodeLimits, FileInput, JsonInput, StringInput
from bentoml.testing import Client, HTTPStatusError


def test_json_text_and_bytes() -> None:
    client = make_client(echo, JsonInput())
    answer = client.post("/predict", json={"a": "ä"})
    assert (answer.status_code, answer.ok, answer.json()) == (200, True, {"a": "ä"})
    assert answer.text == '{"a":"ä"}'
    assert answer.headers["Content-Type"] == "application/json"
    assert client.post("predict", data="null").content == b"null"
    assert client.post("/predict?x=1", data=b"[1]", headers={"X-A": "1"}).json() == [1]


def test_forms_and_files() -> None:
    def tell(self: Any, files: Any) -> Any:
        return [[f.name, f.read().decode()] for f in files]

    client = make_client(tell, FileInput())
    assert client.post("/predict", files={"f": ("a.txt", "text")}, data={"note": "x"}).json() == [
        "a.txt",
        "text",
    ]
    assert client.post("/predict", files={"f": b"bytes"}).json() == ["f", "bytes"]
    named = io.BytesIO(b"stream")
    named.name = "/tmp/upload.bin"
    assert client.post("/predict", files={"f": named}).json() == ["upload.bin", "stream"]


def test_get_and_refusals() -> None:
    client = make_client(echo, StringInput())
    assert client.get("/predict").json() == ""
    assert client.post("/nothing").status_code == 404
    assert "/predict" in client.post("/nothing").text
    put = client.request("PUT", "/predict", data="x")
    assert (put.status_code, put.headers["Allow"]) == (405, "POST, GET")
    small = make_client(echo, StringInput(), limits=DecodeLimits(max_body_bytes=3))
    assert [small.post("/predict", data="x" * n).status_code for n in (2, 3, 4)] == [200, 200, 413]


def test_raise_for_status() -> None:
    client = make_client(echo, JsonInput())
    assert client.post("/predict", json=1).raise_for_status().json() == 1
    with pytest.raises(HTTPStatusError, match="400: Not a valid JSON format"):
        client.post("/predict", data="{").raise_for_status()


def test_requests_that_arrive_together_are_one_batch() -> None:
    client = make_client(lambda self, values: [len(values)] * len(values), JsonInput())
    assert [
        a.json() for a in client.post_many("/predict", [{"json": 1}, {"data": "{"}, {"json": 2}])[::2]
    ] == [2, 2]


def test_form_fields() -> None:
    client = make_client(echo, StringInput())
    assert client.post("/predict", data={"a": "1", "b": "ä"}).json() == "a=1&b=%C3%A4"


class Hooked(bentoml.BentoService):
    events: list[str]

    @bentoml.on_worker_start
    async def begin(self) -> None:
        self.events = ["start"]
        self.loop = asyncio.get_running_loop()

    @bentoml.on_worker_stop
    def end(self) -> None:
        self.events.append("stop")

    @bentoml.api(input=JsonInput(), batch=False)
    async def same_loop(self, value: Any) -> Any:
        return self.loop is asyncio.get_running_loop()


def test_hooks_and_async_functions_share_a_loop() -> None:
    service = Hooked()
    with Client(service) as client:
        assert client.post("/same_loop", json=1).json() is True
        assert client.post("/same_loop", json=2).json() is True

        async def inside() -> bool:
            return bool(client.post("/same_loop", json=3).json())

        assert asyncio.run(inside())
    assert service.events == ["start", "stop"]
