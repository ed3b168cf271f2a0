"""What the server tells about itself: `/metadata`, `/docs.json` and `/metrics`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from bentoml.batching.stats import ApiStats
from bentoml.bundle.layout import BundleLayout
from bentoml.bundle.metadata import metadata_dict
from bentoml.observability.metrics import (
    Collected,
    ServerCollector,
    ServerSnapshot,
    collect_worker_metrics,
    metric_prefix,
    render_page,
)
from bentoml.service.openapi import for_server

from .app_state import AppState
from .endpoint import endpoint
from .errors import unavailable


def info_routes(state: AppState, pages: Mapping[str, ApiStats]) -> list[BaseRoute]:
    """The paths, `/metrics` only when it is enabled."""

    async def metadata(request: Request) -> Response:
        """A JSON object, unlike 0.13, which sent a JSON text inside a JSON string."""
        return JSONResponse(metadata_dict(state.descriptor))

    async def docs_json(request: Request) -> Response:
        document = state.openapi() or await run_in_threadpool(saved_openapi, state)
        if document is None:
            return unavailable("the service is still being loaded")
        settings = state.settings
        described = for_server(
            document,
            prefix=request.scope.get("bentoml.prefix", ""),
            metrics=settings.metrics.enabled,
            feedback=settings.feedback.enabled,
        )
        return JSONResponse(described, headers={"Cache-Control": "no-cache", "Vary": "X-Forwarded-Prefix"})

    async def metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        directory = state.metrics_dir
        of_workers = (
            await run_in_threadpool(collect_worker_metrics, directory) if directory else Collected(())
        )
        body, content_type = render_page([server_metrics(state, pages), of_workers], accept)
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    routes = [endpoint("/metadata", metadata, "GET"), endpoint("/docs.json", docs_json, "GET")]
    if state.settings.metrics.enabled:
        routes.append(endpoint("/metrics", metrics, "GET"))
    return routes


def saved_openapi(state: AppState) -> dict[str, Any] | None:
    """`docs.json` of the bundle, for the time before a worker has loaded the service."""
    try:
        document = json.loads(BundleLayout(state.bundle_path, state.descriptor.name).openapi.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def server_metrics(state: AppState, pages: Mapping[str, ApiStats]) -> ServerCollector:
    """The server's own metrics as they are now."""
    descriptor = state.descriptor
    prefix = metric_prefix(state.settings.metrics.namespace, descriptor.name)
    return ServerCollector(prefix, descriptor.version, state.stats, pages, snapshot(state))


def snapshot(state: AppState) -> ServerSnapshot:
    """Gauges for the metrics page."""
    workers: dict[str, int] = {}
    restarts = recycled = 0
    for worker in state.worker_table():
        workers[worker["state"]] = workers.get(worker["state"], 0) + 1
        restarts += worker["restarts"]
        recycled += worker["recycled"]
    queues = state.queue_table()
    return ServerSnapshot(
        queue_length={row["route"]: row["waiting"] for row in queues},
        queue_oldest_s={row["route"]: row["oldest_s"] for row in queues},
        estimates={
            row["route"]: {
                "fixed_seconds": row["cost_fixed_s"],
                "per_request_seconds": row["cost_per_request_s"],
                "batches_seen": row["batches_seen"],
            }
            for row in queues
        },
        workers=workers,
        worker_restarts=restarts,
        worker_recycled=recycled,
        rejected=state.rejected,
        ready=state.is_ready()[0],
    )
