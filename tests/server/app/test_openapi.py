"""The OpenAPI document: what it promises is what the server does."""

from __future__ import annotations

import json

from bentoml.service.openapi import build_openapi


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [r for value in node.values() for r in references(value)]
    if isinstance(node, list):
        return [r for value in node for r in references(value)]
    return []


def test_shape_is_that_of_013(make_state) -> None:
    document = build_openapi(make_state().service)
    assert document["openapi"] == "3.0.0"
    assert (document["info"]["title"], document["info"]["version"]) == ("Sample", "v1_A")
    assert [tag["name"] for tag in document["tags"]] == ["infra", "app"]
    assert {"/healthz", "/metadata", "/metrics", "/feedback", "/predict", "/v1/shout"} <= set(
        document["paths"]
    )
    assert json.loads(json.dumps(document)) == document


def test_an_api_is_described_with_its_example_and_its_errors(make_state) -> None:
    operation = build_openapi(make_state().service)["paths"]["/predict"]["post"]
    assert operation["tags"] == ["app"]
    assert operation["description"] == "The sum of each row."
    assert operation["requestBody"]["required"] is True
    assert operation["requestBody"]["content"]["application/json"]["example"] == [1, 2]
    assert "schema" in operation["requestBody"]["content"]["application/json"]
    assert set(operation["responses"]) == {"200", "400", "413", "429", "500", "503", "504"}
    assert operation["responses"]["200"]["description"] == "success"


def test_every_reference_leads_somewhere(make_state) -> None:
    document = build_openapi(make_state().service)
    found = references(document)
    assert found
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_flags_and_prefix(make_state) -> None:
    document = build_openapi(make_state().service, prefix="/p", metrics=False, feedback=False)
    assert document["servers"] == [{"url": "/p"}]
    assert "/metrics" not in document["paths"]
    assert "/feedback" not in document["paths"]


def test_every_described_path_is_answered(client) -> None:
    document = client.get("/docs.json").json()
    for path, item in document["paths"].items():
        for method in item:
            answer = client.request(method, path, json={"request_id": "x"})
            assert answer.status_code not in (404, 405), (method, path)
