"""Deployments: what should run, and what was last seen of it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from bentoml.repository.selector import parse_selector
from bentoml.yatai.access import Caller
from bentoml.yatai.db.deployments import DeploymentQuery

from .plain import deployment_detail, deployment_row, event_row
from .views import Views


def deployment_routes(views: Views) -> list[Route]:
    """`/deployments`, one namespace of them, and one."""
    registry = views.state.registry

    def listing(request: Request, _caller: Caller) -> dict[str, Any]:
        namespace = request.path_params.get("namespace") or None
        labels = request.query_params.get("labels", "")
        found = registry.deployments.find_all(
            DeploymentQuery(namespace=namespace, labels=parse_selector(labels))
        )
        rows = [deployment_row(deployment) for deployment in found]
        return {
            "namespace": namespace,
            "asked": {"labels": labels},
            "active": sum(row["state"] == "RUNNING" for row in rows),
            "deployments": rows,
        }

    def detail(request: Request, caller: Caller) -> dict[str, Any]:
        values = request.path_params
        deployment = registry.deployments.find(values["namespace"], values["name"])
        events = registry.events.find(caller, resource=deployment.resource, limit=10)
        return {
            "deployment": deployment_detail(deployment),
            "events": [event_row(event) for event in events],
        }

    return [
        *views.page("/deployments", "deployments.html", listing),
        *views.page("/deployments/{namespace}", "deployments.html", listing),
        *views.page("/deployments/{namespace}/{name}", "deployment.html", detail),
    ]
