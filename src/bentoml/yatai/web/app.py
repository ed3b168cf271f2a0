"""The web application of the server: all routes in one list.

SiteGuard → session → errors → routes
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from bentoml.settings import home

from .errors import error_handlers
from .pages import STATIC, Pages
from .routes_api import api_routes
from .routes_bundles import bundle_routes
from .routes_changes import change_routes
from .routes_deploy import deploy_routes
from .routes_deployments import deployment_routes
from .routes_health import health_routes
from .routes_home import home_routes
from .routes_retention import retention_routes
from .routes_session import session_routes
from .routes_tokens import token_routes
from .security import SiteGuard, allowed_hosts
from .session import COOKIE, MAX_AGE_S, session_key
from .state import WebState
from .views import Views


def build_web_app(state: WebState) -> Starlette:
    """The ASGI application of one server."""
    pages = Pages(state)
    views = Views(state, pages)
    routes: list[BaseRoute] = [
        *health_routes(state),
        *api_routes(state),
        *home_routes(views),
        *change_routes(views),
        *bundle_routes(views),
        *deployment_routes(views),
        *deploy_routes(views),
        *retention_routes(views),
        *token_routes(views),
        *session_routes(views),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    if state.prefix:
        routes = [*health_routes(state), Mount(state.prefix, routes=routes)]
    yatai = state.settings.yatai
    session = Middleware(
        SessionMiddleware,
        secret_key=session_key(home() / "yatai"),
        session_cookie=COOKIE,
        max_age=MAX_AGE_S,
        path=state.prefix or "/",
        same_site="lax",
        https_only=yatai.tls_certificate is not None,
    )
    guard = Middleware(SiteGuard, hosts=allowed_hosts(yatai.host, yatai.allowed_hosts))
    return Starlette(
        routes=routes, middleware=[guard, session], exception_handlers=error_handlers(state, pages)
    )
