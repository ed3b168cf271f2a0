"""Deployments: what should run, what was last seen of it, its log, and the forms that change it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.routing import Route

from bentoml.exceptions import BentoMLException
from bentoml.repository.selector import parse_selector
from bentoml.yatai.access import DEPLOY, Caller
from bentoml.yatai.db.deployments import Deployment, DeploymentQuery

from .api_calls import with_call
from .contents import is_near, read_operations
from .plain import deployment_detail, deployment_row, event_row
from .session import flash
from .views import Views, number

LINES, MOST_LINES = 200, 5000
MINUTES, MOST_MINUTES = 15, 60
ONE = "/deployments/{namespace}/{name}"
Fields = dict[str, str]


def deployment_routes(views: Views) -> list[Route]:
    """`/deployments`, one namespace of them, one, and its log."""
    registry = views.state.registry

    def listing(request: Request, _caller: Caller) -> dict[str, Any]:
        namespace = request.path_params.get("namespace") or None
        labels = request.query_params.get("labels", "")
        found = registry.deployments.find_all(
            DeploymentQuery(namespace=namespace, labels=parse_selector(labels))
        )
        rows = [deployment_row(deployment) for deployment in found]
        for row in rows:
            recent = views.state.history.of(f"{row['namespace']}/{row['name']}")
            row["requests_per_s"] = recent[-1].requests_per_s if recent else None
        return {
            "namespace": namespace,
            "asked": {"labels": labels},
            "active": sum(row["state"] == "RUNNING" for row in rows),
            "deployments": rows,
        }

    def detail(request: Request, caller: Caller) -> dict[str, Any]:
        deployment = _asked_for(views, request)
        minutes = max(1, number(request.query_params.get("minutes"), MINUTES, MOST_MINUTES))
        events = registry.events.find(caller, resource=deployment.resource, limit=10)
        return {
            "deployment": deployment_detail(deployment),
            "calls": calls(deployment),
            "minutes": minutes,
            "history": [asdict(figures) for figures in views.state.history.of(deployment.resource)],
            "events": [event_row(event) for event in events],
        }

    def calls(deployment: Deployment) -> list[str]:
        """Commands for its APIs, where its bundle's files are at hand."""
        spec, bundles = deployment.spec, registry.bundles
        try:
            record = bundles.find_or_none(str(spec.get("bento_name")), str(spec.get("bento_version")))
            known = read_operations(bundles, record) if record and is_near(bundles) else {}
        except (BentoMLException, OSError):
            return []
        return [with_call(api, known)["curl"] for api in record.apis] if record else []

    def log(request: Request, _caller: Caller) -> dict[str, Any]:
        deployment = _asked_for(views, request)
        lines = max(1, number(request.query_params.get("lines"), LINES, MOST_LINES))
        problem, found = "", []
        try:
            found = list(registry.operations.logs(deployment.namespace, deployment.name, lines))
        except BentoMLException as err:
            problem = str(err)
        return {
            "deployment": deployment_row(deployment),
            "asked": {"lines": lines},
            "lines": found,
            "problem": problem,
        }

    def confirmation(request: Request, _caller: Caller) -> dict[str, Any]:
        return {"deployment": deployment_detail(_asked_for(views, request))}

    def restart(request: Request, caller: Caller, _fields: Fields) -> str:
        values = request.path_params
        registry.operations.restart(caller, values["namespace"], values["name"])
        flash(request, f"{values['name']} is starting anew.")
        return path_of(values["namespace"], values["name"])

    def delete(request: Request, caller: Caller, fields: Fields) -> str:
        values = request.path_params
        force = bool(fields.get("force"))
        registry.operations.delete(caller, values["namespace"], values["name"], force=force)
        flash(request, f"{values['name']} has ended and is deleted.")
        return "/deployments"

    return [
        *views.page("/deployments", "deployments.html", listing),
        *views.page("/deployments/{namespace}", "deployments.html", listing),
        *views.page(f"{ONE}/log", "deployment_log.html", log),
        *views.page(f"{ONE}/restart", "deployment_restart.html", confirmation, DEPLOY),
        *views.page(f"{ONE}/delete", "deployment_delete.html", confirmation, DEPLOY),
        views.form(f"{ONE}/restart", restart, DEPLOY),
        views.form(f"{ONE}/delete", delete, DEPLOY),
        *views.page(ONE, "deployment.html", detail),
    ]


def path_of(namespace: str, name: str) -> str:
    """The page of a deployment."""
    return f"/deployments/{quote(namespace, '')}/{quote(name, '')}"


def _asked_for(views: Views, request: Request) -> Deployment:
    values = request.path_params
    return views.state.registry.deployments.find(values["namespace"], values["name"])
