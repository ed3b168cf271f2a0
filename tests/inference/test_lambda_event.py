"""AWS Lambda events: text, binary, errors, headers."""

from __future__ import annotations

import base64
from typing import Any

from contracts.probe import echo, make_service

from bentoml.adapters import FileInput, JsonInput, StringInput
from bentoml.types import InferenceResult


def handle(adapter: Any, event: dict[str, Any], func: Any = echo) -> Any:
    return make_service(func, adapter).inference_apis[0].handle_aws_lambda_event(event)


def test_text_in_the_event() -> None:
    answer = handle(
        JsonInput(), {"headers": {"Content-Type": "application/json; charset=utf-16"}, "body": '"größe"'}
    )
    assert answer == {
        "statusCode": 200,
        "body": '"größe"',
        "headers": {"Access-Control-Allow-Origin": "*", "Content-Type": "application/json"},
    }


def test_missing_headers_and_body() -> None:
    assert handle(StringInput(), {"headers": None, "body": None})["body"] == '""'
    assert handle(JsonInput(), {"headers": {}, "body": "{bad"})["statusCode"] == 400


def test_files_are_base64() -> None:
    def sizes(self: Any, files: Any) -> Any:
        return [len(f.read()) for f in files]

    body = base64.b64encode(b"\xff\0\xfe").decode()
    for value in (body, body.encode()):
        assert handle(FileInput(), {"headers": {}, "body": value}, sizes)["body"] == "3"
    assert handle(FileInput(), {"headers": {}, "body": "a"}, sizes)["statusCode"] == 400


def test_binary_answers_are_marked() -> None:
    def picture(self: Any, values: Any) -> Any:
        return [InferenceResult(data=b"\x89PNG\xff", http_status=200)]

    answer = handle(JsonInput(), {"headers": {}, "body": "1"}, picture)
    assert answer["isBase64Encoded"] is True
    assert base64.b64decode(answer["body"]) == b"\x89PNG\xff"


def test_custom_from_aws_lambda_event() -> None:
    from bentoml.types import InferenceTask

    class Query(StringInput):
        def from_aws_lambda_event(self, event: Any) -> Any:
            return InferenceTask(data=event["queryStringParameters"]["q"], aws_lambda_event=event)

    assert (
        handle(Query(), {"headers": {}, "body": "", "queryStringParameters": {"q": "hi"}})["body"] == '"hi"'
    )
