"""`JsonInput(schema=…)`: checked values, errors that name the field, the schema in OpenAPI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from contracts import served
from contracts.adapter_contract import InputAdapterContract
from contracts.probe import make_client, make_service, send, send_all
from contracts.served import Order
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from bentoml.adapters import JsonInput
from bentoml.exceptions import BentoMLConfigException, InvalidArgument
from bentoml.service.openapi import build_openapi
from bentoml.testing import Request


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Row(TypedDict):
    a: int
    b: list[float]


@dataclass
class Point:
    x: float
    y: float = 0.0


GOOD: dict[str, Any] = {"customer": 1, "day": "2026-02-03", "items": [{"name": "x", "price": 2.5}]}


class TestJsonInputWithSchema(InputAdapterContract):
    MODULE = "bentoml.adapters.json_input"
    CLASS = "JsonInput"
    FUNCTION = served.order
    SERVED = "order"
    EXAMPLES = [({}, GOOD)]  # noqa: RUF012 - the contract declares it as a class variable

    def adapter(self, **options: Any) -> Any:
        return super().adapter(**{"schema": Order, **options})

    def good(self) -> list[Request]:
        return [Request.build(json={**GOOD, "customer": i, "items": GOOD["items"] * i}) for i in range(5)]

    def bad(self) -> list[Request]:
        return [Request.build(json=v) for v in ({}, [], 5, {**GOOD, "day": "x"}, {**GOOD, "more": 1})] + [
            Request.build(data=b"{bad"),
            Request.build(data=b""),
            Request.build(data=json.dumps({**GOOD, "customer": 1}).replace("2.5", "NaN")),
        ]


def ask(schema: Any, value: Any) -> Any:
    client = make_client(lambda self, values: [repr(v) for v in values], JsonInput(schema=schema))
    return send(client, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"customer": "x"}, ["customer: Input should be a valid integer", "not 'x'"]),
        ({"kind": "old"}, ["kind: Input should be 'new' or 'again'"]),
        (
            {"items": [{"name": "x", "price": 1}, {"name": "", "price": 0}]},
            ["items[1].name: ", "items[1].price"],
        ),
        ({"items": [{"price": 1}]}, ["items[0].name: Field required"]),
        ({"surprise": 1}, ["surprise: Extra inputs are not permitted"]),
        ({"items": [{"name": "x" * 500, "price": 1}]}, ["items[0].name: ", "…"]),
        ({"items": [{"name": 5, "price": 1}] * 50}, ["items[4].name", "and 45 more errors"]),
    ],
)
def test_an_error_names_the_field_and_the_value(change: Any, words: list[str]) -> None:
    answer = ask(Order, {**GOOD, **change})
    assert answer.status_code == 400
    assert [word for word in words if word not in answer.text] == []
    assert len(answer.text) < 1000
    assert "pydantic" not in answer.text


@pytest.mark.parametrize(
    ("schema", "good", "shown", "bad", "word"),
    [
        (list[int], [1, 2], "[1, 2]", [1, "x"], "[1]: "),
        (Annotated[int, Field(gt=0)], 5, "5", -1, "greater than 0"),
        (Row, {"a": 1, "b": [2]}, "{'a': 1, 'b': [2.0]}", {"a": 1, "b": ["x"]}, "b[0]: "),
        (Point, {"x": 1}, "Point(x=1.0, y=0.0)", {"y": 1}, "x: Field required"),
        (dict[str, tuple[int, bool]], {"k": [1, True]}, "{'k': (1, True)}", {"k": [1]}, "k[1]: "),
        (
            Node,
            {"value": 1, "children": [{"value": 2}]},
            "Node(value=1",
            {"value": 1, "children": [{}]},
            "children[0]",
        ),
    ],
)
def test_annotated_types(schema: Any, good: Any, shown: str, bad: Any, word: str) -> None:
    answer = ask(schema, good)
    assert (answer.status_code, shown in answer.json()) == (200, True), answer.text
    answer = ask(schema, bad)
    assert (answer.status_code, word in answer.text) == (400, True), answer.text


def test_B49_our_limits_hold_before_the_schema() -> None:
    client = make_client(lambda self, values: values, JsonInput(schema=list[Any]))
    for body in (b"[" * 100_000, b"[" * 200 + b"]" * 200, b"[" + b"9" * 5000 + b"]", b"[NaN]", b"[1e999]"):
        assert send(client, body).status_code == 400
    assert send(client, b"[18446744073709551617]").json() == [2**64 + 1]


def test_p3_errors_of_a_schema_hit_one_item() -> None:
    client = make_client(served.order, JsonInput(schema=Order))
    values = [{**GOOD, "customer": i if i % 2 else "bad"} for i in range(20)]
    answers = send_all(client, [Request.build(json=value) for value in values])
    assert [a.status_code for a in answers] == [400, 200] * 10


def test_a_validator_that_breaks_is_the_services_error() -> None:
    from pydantic import AfterValidator

    def broken(value: int) -> int:
        raise RuntimeError("secret")

    answer = ask(Annotated[int, AfterValidator(broken)], 1)
    assert (answer.status_code, "secret" in answer.text) == (500, False)


def test_tasks_and_python_values_are_checked_too() -> None:
    api = make_service(served.order, JsonInput(schema=Order)).inference_apis[0]
    results = api.infer(api.input_adapter.from_inference_job([json.dumps(GOOD), GOOD, {"customer": 1}]))
    assert [result.http_status for result in results] == [200, 200, 400]


@pytest.mark.parametrize("wrong", ["Order", {"type": "object"}])
def test_what_is_not_a_type(wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match="request_schema"):
        JsonInput(schema=wrong)


def test_a_type_pydantic_does_not_know() -> None:
    class Opaque:
        pass

    with pytest.raises(BentoMLConfigException, match="Opaque"):
        JsonInput(schema=Opaque).openapi_content()


def test_config_and_subclasses_without_init() -> None:
    assert JsonInput(schema=Order).config == {"schema": "Order"}
    assert JsonInput().config == {}

    class Own(JsonInput):
        def __init__(self) -> None:
            pass

    assert make_client(lambda self, values: values, Own()).post("/predict", json=[1]).json() == [1]


def schema_of(kind: Any) -> Any:
    service = make_service(served.order, JsonInput(schema=kind))
    return build_openapi(service)["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]


def test_the_schema_is_in_the_openapi_document() -> None:
    schema = schema_of(Order)
    assert schema["required"] == ["customer", "day", "items"]
    item = schema["properties"]["items"]["items"]["properties"]
    assert item["price"] == {"title": "Price", "type": "number", "minimum": 0, "exclusiveMinimum": True}
    assert item["note"] == {"title": "Note", "type": "string", "nullable": True, "default": None}
    assert schema["additionalProperties"] is False
    for kind in (
        Order,
        Node,
        Row,
        Point,
        list[int],
        dict[str, tuple[int, bool]],
        Literal["a"],
        None,
        int | None,
    ):
        text = json.dumps(schema_of(kind) if kind is not None else {})
        assert not [word for word in ("$ref", "$defs", "prefixItems", '"const"') if word in text], kind
    assert schema_of(Node)["properties"]["children"]["items"]["title"] == "Node"
    assert schema_of(Literal["a"])["enum"] == ["a"]
    assert schema_of(int | None) == {"type": "integer", "nullable": True}
    nested = schema_of(int | str | None)
    assert (nested["nullable"], len(nested["anyOf"])) == (True, 2)


@pytest.mark.parametrize(
    "adapter",
    [
        JsonInput(http_input_example=GOOD, schema=Order),
        JsonInput(http_input_example=[1, "x"]),
        JsonInput(http_input_example={"a": 1}),
    ],
)
def test_a_schema_fits_its_own_example(adapter: JsonInput) -> None:
    import jsonschema

    media = adapter.openapi_content()["application/json"]
    jsonschema.Draft4Validator(media["schema"]).validate(media["example"])
