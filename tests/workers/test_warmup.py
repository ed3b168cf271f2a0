"""Warm-up calls: what is sent, in which sizes, and that nothing about them can stop a worker."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from contracts.probe import make_service

from bentoml.adapters import DataframeInput, FileInput, JsonInput, StringInput
from bentoml.inference.pipeline import Pipeline
from bentoml.workers.warmup import example_payload, warm_up


def api_of(adapter: Any, func: Any, **options: Any) -> Any:
    return make_service(func, adapter, **options).inference_apis[0]


@pytest.mark.parametrize(
    ("batch", "largest", "sizes", "sampled"),
    [(True, 32, [1, 1, 1, 8, 8], [1, 1, 8]), (True, 4, [1, 1, 1, 4, 4], [1, 1, 4]), (False, 32, [1, 1], [1])],
    ids=["cap", "largest", "single"],
)
def test_sizes(batch: bool, largest: int, sizes: list[int], sampled: list[int]) -> None:
    seen: list[int] = []

    def count(self: Any, values: Any) -> Any:
        seen.append(len(values) if batch else 1)
        return values

    api = api_of(JsonInput(), count, batch=batch, mb_max_batch_size=8, example={"x": 1})
    samples = warm_up(api, Pipeline(api).run, largest)
    assert seen == sizes
    assert [size for size, _ in samples] == sampled
    assert all(seconds > 0 for _, seconds in samples)


def test_a_failure_is_a_warning_and_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    def fail(self: Any, values: Any) -> Any:
        nonlocal calls
        calls += 1
        raise ValueError("no weights yet")

    api = api_of(JsonInput(), fail, batch=True, example=1)
    with caplog.at_level(logging.WARNING, "bentoml.worker"):
        assert warm_up(api, Pipeline(api).run, 32) == []
    assert calls == 1
    assert "no weights yet" in caplog.text


def echo(self: Any, value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("adapter", "example", "body", "kind"),
    [
        (JsonInput(), {"a": [1, None]}, b'{"a": [1, null]}', "application/json"),
        (JsonInput(), "[1, 2]", b"[1, 2]", "application/json"),
        (JsonInput(), "text", b'"text"', "application/json"),
        (StringInput(), "grüß", "grüß".encode(), "text/plain"),
        (DataframeInput(), [{"a": 1}], b'[{"a": 1}]', "application/json"),
        (FileInput(), b"\x00\x01", b"\x00\x01", None),
    ],
    ids=["json", "document", "value", "text", "frame", "bytes"],
)
def test_an_example_becomes_a_request(adapter: Any, example: Any, body: bytes, kind: str | None) -> None:
    payload = example_payload(api_of(adapter, echo, example=example))
    assert payload is not None
    assert payload.body == body
    assert kind is None or payload.head.content_type == kind


@pytest.mark.parametrize(
    ("adapter", "example"),
    [(JsonInput(), None), (FileInput(), "a.bin"), (JsonInput(), {1, 2})],
    ids=["none", "name", "set"],
)
def test_what_is_no_body_is_not_sent(adapter: Any, example: Any) -> None:
    assert example_payload(api_of(adapter, echo, example=example)) is None
