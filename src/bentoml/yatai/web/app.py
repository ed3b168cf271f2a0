"""The web application of the server: all routes in one list.

SiteGuard → errors → routes
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from bentoml.exceptions import BentoMLException

from .errors import explain, unexpected
from .pages import Pages
from .routes_bundles import bundle_routes
from .routes_health import health_routes
from .security import SiteGuard, allowed_hosts
from .state import WebState


def build_web_app(state: WebState) -> Starlette:
    """The ASGI application of one server."""
    pages = Pages(state)
    routes: list[BaseRoute] = [*health_routes(state), *bundle_routes(state, pages)]
    if state.prefix:
        routes = [*health_routes(state), Mount(state.prefix, routes=routes)]
    yatai = state.settings.yatai
    return Starlette(
        routes=routes,
        middleware=[Middleware(SiteGuard, hosts=allowed_hosts(yatai.host, yatai.allowed_hosts))],
        exception_handlers={BentoMLException: explain, Exception: unexpected},
    )
