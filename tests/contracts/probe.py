"""A service with one API around any function and adapter, and a client for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bentoml
from bentoml.adapters import DecodeLimits
from bentoml.testing import Client, Request, Response


def make_service(func: Callable[..., Any], adapter: Any, **options: Any) -> Any:
    """`func(self, …)` becomes the API `predict`; batch mode unless `options` say otherwise."""
    decorate = bentoml.api(input=adapter, api_name="predict", **{"batch": True, **options})
    return type("Probe", (bentoml.BentoService,), {"predict": decorate(func)})()


def make_client(
    func: Callable[..., Any], adapter: Any, *, limits: DecodeLimits | None = None, **options: Any
) -> Client:
    service = make_service(func, adapter, **options)
    return Client(service, limits) if limits else Client(service)


def echo(self: Any, values: Any) -> Any:
    return values


def send(client: Client, body: bytes, content_type: str = "application/json", **headers: str) -> Response:
    """One request with exactly this body; keyword names become header names."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type:
        named["Content-Type"] = content_type
    return client.send_many("/predict", [Request(body, named)])[0]


def send_all(client: Client, requests: list[Request]) -> list[Response]:
    return client.send_many("/predict", requests)
