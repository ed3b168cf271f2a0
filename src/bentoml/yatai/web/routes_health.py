"""Health and metrics: for load balancers and Prometheus, without a token."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bentoml.exceptions import BentoMLException
from bentoml.yatai.api.metrics import CONTENT_TYPE
from bentoml.yatai.db.bundles import BundleQuery

from .state import WebState


def health_routes(state: WebState) -> list[Route]:
    """`/healthz`, `/livez`, `/readyz` and `/metrics`."""

    def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def ready(_request: Request) -> Response:
        try:
            state.registry.bundles.keys(BundleQuery(limit=1))
        except BentoMLException:
            return PlainTextResponse("The database does not answer.\n", 503)
        return PlainTextResponse("ok\n")

    def metrics(_request: Request) -> Response:
        return Response(state.metrics.text(), headers={"content-type": CONTENT_TYPE})

    return [
        Route("/healthz", live),
        Route("/livez", live),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    ]
