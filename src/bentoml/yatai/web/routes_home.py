"""The first page and the activity of everybody."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from bentoml.yatai.access import Caller
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.db.deployments import DeploymentQuery

from .plain import bundle_row, deployment_row, event_row
from .views import Views, number

LATEST = 5
EVENTS = 50


def home_routes(views: Views) -> list[Route]:
    """`/` and `/activity`, each with its JSON twin; `/about` and `/config` of 0.13 show the first page."""
    registry = views.state.registry

    def home(_request: Request, caller: Caller) -> dict[str, Any]:
        deployments = [deployment_row(found) for found in registry.deployments.find_all(DeploymentQuery())]
        page = registry.bundles.search(BundleQuery(limit=LATEST))
        return {
            "bundle_count": page.total,
            "model_count": registry.bundles.count_names(),
            "deployment_count": len(deployments),
            "running_count": sum(found["state"] == "RUNNING" for found in deployments),
            "bundles": [bundle_row(record) for record in page.records],
            "deployments": deployments[:LATEST],
            "events": [event_row(event) for event in registry.events.find(caller, limit=8)],
        }

    def activity(request: Request, caller: Caller) -> dict[str, Any]:
        asked = request.query_params
        events = registry.events.find(
            caller,
            resource=asked.get("resource") or None,
            resource_type=asked.get("type") or None,
            actor=asked.get("actor") or None,
            before_id=number(asked.get("before"), 0, 10**9) or None,
            limit=EVENTS + 1,
        )
        return {
            "events": [event_row(event) for event in events[:EVENTS]],
            "next_before": events[EVENTS - 1].id if len(events) > EVENTS else None,
            "asked": {key: asked.get(key, "") for key in ("resource", "type", "actor")},
        }

    return [
        *views.page("/", "home.html", home),
        *views.page("/about", "home.html", home),
        *views.page("/config", "home.html", home),
        *views.page("/activity", "activity.html", activity),
    ]
