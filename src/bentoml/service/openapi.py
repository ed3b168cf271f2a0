"""The OpenAPI 3.0 document of a service: one source for the server, the bundle and the CLI.

It describes what clients may send and what they can get, errors included, so that the page at `/`,
code generators and people read the same. Standard library only, and a pure function of the service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import BentoService
    from .inference_api import InferenceAPI

OPENAPI_VERSION = "3.0.0"
DESCRIPTION = "A Prediction Service built with BentoML"

TEXT = {"schema": {"type": "string"}}
REQUEST_ID = {
    "X-Request-Id": {
        "description": "Id of this request, as in prediction.log; send it with /feedback.",
        "schema": {"type": "string", "format": "uuid"},
    }
}
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
ERRORS = {
    "400": ("BadInput", "The body cannot be decoded, or does not fit this API.", {}),
    "413": ("TooLarge", "The body, or what it decodes to, is over the limit.", {}),
    "429": ("Overloaded", "Too many requests are waiting.", RETRY_AFTER),
    "500": ("ServiceError", "The API function raised an exception for this request.", {}),
    "503": ("Unavailable", "The server is starting, stopping, or lost the worker.", RETRY_AFTER),
    "504": ("Timeout", "There was no answer before the deadline.", {}),
}


def build_openapi(
    service: BentoService, *, prefix: str = "", metrics: bool = True, feedback: bool = True
) -> dict[str, Any]:
    """The document as JSON-ready data.

    Args:
        prefix: URL path under which a reverse proxy publishes the server, `"/models/iris"`.
        metrics: describe `/metrics`.
        feedback: describe `/feedback`.
    """
    document = {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": service.name,
            "version": str(service.version or ""),
            "description": DESCRIPTION,
        },
        "tags": [
            {"name": "infra", "description": "Health, metadata and metrics of the server."},
            {"name": "app", "description": "The prediction APIs of the service."},
        ],
        "paths": {
            **infra_paths(),
            **{f"/{api.route}": api_path(api) for api in service.inference_apis},
        },
        "components": {"responses": _error_components()},
    }
    return for_server(document, prefix=prefix, metrics=metrics, feedback=feedback)


def for_server(document: Mapping[str, Any], *, prefix: str, metrics: bool, feedback: bool) -> dict[str, Any]:
    """The document as one server publishes it: where it is, and without the pages it has not."""
    absent = {"/metrics"} if not metrics else set()
    absent |= {"/feedback"} if not feedback else set()
    paths = {path: item for path, item in document.get("paths", {}).items() if path not in absent}
    out = {key: value for key, value in document.items() if key != "servers"}
    return {**out, "servers": [{"url": prefix or "/"}], "paths": paths}


def api_path(api: InferenceAPI) -> dict[str, Any]:
    """The path item of one prediction API."""
    methods = [m.lower() for m in api.http_methods]
    method = "post" if "post" in methods or not methods else methods[0]
    operation = {
        "tags": ["app"],
        "summary": summary_of(api),
        "description": api.doc or "",
        "operationId": api.name,
        "requestBody": {"required": True, "content": request_content(api)},
        "responses": {
            "200": {"description": "success", "headers": REQUEST_ID, "content": answer_content(api)},
            **{status: {"$ref": f"#/components/responses/{name}"} for status, (name, *_) in ERRORS.items()},
        },
    }
    return {method: operation}


def summary_of(api: InferenceAPI) -> str:
    """The first line of the API's doc, as one short line."""
    first = (api.doc or "").strip().partition("\n")[0].strip()
    return first if first and len(first) <= 120 else f"Inference API '{api.name}'"


def request_content(api: InferenceAPI) -> dict[str, Any]:
    """What the input adapter accepts, with the example of `@api(example=…)` where it fits."""
    adapter, example = api.input_adapter, api.example
    if example is None or not _is_json(example):
        adapter = adapter.with_example(None) if example is not None else adapter
        return media_objects(adapter.openapi_content())
    content = media_objects(adapter.with_example(example).openapi_content())
    for media_type, media in content.items():
        if _carries_json(media_type) and "examples" not in media:
            media["example"] = example
    return content


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def answer_content(api: InferenceAPI) -> dict[str, Any]:
    """What the output adapter says it writes; any JSON when it does not say."""
    describe = getattr(api.output_adapter, "openapi_content", None)
    content = describe() if callable(describe) else None
    return media_objects(content) if content else {"application/json": {"schema": {}}}


def media_objects(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content type → media object, for adapters that give bare schemas too."""
    out: dict[str, Any] = {}
    for media_type, value in content.items():
        is_media = isinstance(value, Mapping) and ("schema" in value or "example" in value or not value)
        out[media_type] = dict(value) if is_media else {"schema": value}
    return out


def infra_paths() -> dict[str, Any]:
    """The paths every server answers itself."""
    feedback = {
        "type": "object",
        "required": ["request_id"],
        "properties": {"request_id": {"type": "string", "description": "X-Request-Id of the answer."}},
        "additionalProperties": True,
    }
    return {
        "/healthz": _get(
            "Health check",
            "200 while predictions are served, as in 0.13; 503 otherwise.",
            "text/plain",
            may_be_unready=True,
        ),
        "/livez": _get("Liveness", "200 as long as the process works.", "text/plain"),
        "/readyz": _get(
            "Readiness", "200 if a prediction sent now would be served.", "text/plain", may_be_unready=True
        ),
        "/metadata": _get(
            "Service metadata", "Name, version, APIs, artifacts and environment.", "application/json"
        ),
        "/metrics": _get("Prometheus metrics", "Counters of the server and of service code.", "text/plain"),
        "/feedback": {
            "post": {
                "tags": ["infra"],
                "summary": "Feedback on an answer",
                "description": "Store what is known about an answer, by its request id, in feedback.log.",
                "requestBody": {"required": True, "content": {"application/json": {"schema": feedback}}},
                "responses": {
                    "200": {"description": "success", "content": {"text/plain": TEXT}},
                    "400": {"description": "No JSON object, or no request_id in it."},
                },
            }
        },
    }


def _get(summary: str, description: str, content_type: str, may_be_unready: bool = False) -> dict[str, Any]:
    media = TEXT if content_type.startswith("text/") else {"schema": {"type": "object"}}
    responses: dict[str, Any] = {"200": {"description": "success", "content": {content_type: media}}}
    if may_be_unready:
        responses["503"] = {"$ref": "#/components/responses/Unavailable"}
    operation = {"tags": ["infra"], "summary": summary, "description": description, "responses": responses}
    return {"get": operation}


def _error_components() -> dict[str, Any]:
    return {
        name: {
            "description": description,
            "content": {"text/plain": TEXT},
            **({"headers": headers} if headers else {}),
        }
        for name, description, headers in ERRORS.values()
    }


def _carries_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")
