"""Probes. Liveness: the process answers. Readiness: a prediction sent now would be served (P14)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from .app_state import AppState
from .endpoint import endpoint
from .errors import unavailable

NO_STORE = {"Cache-Control": "no-store"}


def health_routes(state: AppState) -> list[BaseRoute]:
    """`/healthz`, `/livez` and `/readyz`."""

    async def livez(request: Request) -> Response:
        return Response("alive\n", headers=NO_STORE, media_type="text/plain")

    async def readyz(request: Request) -> Response:
        ready, reason = state.is_ready()
        return (
            Response("ready\n", headers=NO_STORE, media_type="text/plain") if ready else unavailable(reason)
        )

    async def healthz(request: Request) -> Response:
        """0.13's probe reached the model server, so it is an error while no worker can answer."""
        ready, reason = state.is_ready()
        return Response("\n", headers=NO_STORE, media_type="text/plain") if ready else unavailable(reason)

    return [
        endpoint("/healthz", healthz, "GET"),
        endpoint("/livez", livez, "GET"),
        endpoint("/readyz", readyz, "GET"),
    ]
