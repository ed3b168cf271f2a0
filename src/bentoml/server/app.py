"""The web application: every path that is not a prediction on the fast path, in one list.

    UnexpectedErrors → SafeHeaders → UrlPrefix → [PageTraces] → [Cors] → PageStats → routes

Under our own server predictions reach the dispatcher before this application is asked; they have a
route here too (`routes_predict`), for other ASGI servers, URL prefixes, CORS and tests.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bentoml.bundle.descriptor import BundleDescriptor
from bentoml.bundle.layout import BundleLayout

from .app_state import AppState
from .cors import Cors
from .endpoint import with_head
from .errors import UnexpectedErrors, method_not_allowed, not_found, options
from .headers import SafeHeaders
from .page_stats import PageStats, empty_stats
from .page_traces import PageTraces
from .pages import docs_page, page_routes
from .paths import UrlPrefix
from .routes_debug import debug_routes
from .routes_feedback import feedback_routes
from .routes_health import health_routes
from .routes_info import info_routes
from .routes_predict import predict
from .static_site import StaticSite
from .tracing import Tracer

PAGES = (
    "",
    "debug/batching",
    "docs",
    "docs.json",
    "feedback",
    "healthz",
    "livez",
    "metadata",
    "metrics",
    "readyz",
    "static_content",
)
READ = with_head(("GET",))


def build_app(state: AppState, tracer: Tracer | None = None) -> Starlette:
    """The ASGI application of one server.

    Args:
        state: the running server; everything is read from it when a request needs it.
        tracer: makes spans of the pages' requests too.
    """
    settings = state.settings
    pages = empty_stats(PAGES)
    middleware = [
        Middleware(UnexpectedErrors),
        Middleware(SafeHeaders),
        Middleware(UrlPrefix, prefix=settings.server.prefix),
        *([Middleware(PageTraces, tracer=tracer, pages=PAGES)] if tracer is not None else []),
        *([Middleware(Cors, settings=settings.cors)] if settings.cors.enabled else []),
        Middleware(PageStats, stats=pages),
    ]
    app = Starlette(
        routes=[
            *health_routes(state),
            *info_routes(state, pages),
            *feedback_routes(state),
            *page_routes(state),
            *debug_routes(state),
            Route("/{path:path}", endpoint=Remainder(state)),
        ],
        middleware=middleware,
    )
    app.router.redirect_slashes = False
    return app


class Remainder:
    """Every path without a page of its own: prediction routes, then the service's own web content."""

    def __init__(self, state: AppState) -> None:
        self.state = state
        self._site: StaticSite | None = None
        self._site_of: BundleDescriptor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request, scope["path"].removeprefix("/"))
        await response(scope, receive, send)

    async def _respond(self, request: Request, path: str) -> Response:
        methods = self.state.prediction_methods(path)
        if methods is not None:
            return await predict(self.state, request, path, methods)
        file = self.site().find(path)
        if file is None and path:
            return not_found()
        if request.method == "OPTIONS":
            return options((*READ, "OPTIONS"))
        if request.method not in READ:
            return method_not_allowed(READ)
        return await self.site().respond(request, file) if file else docs_page(self.state, with_readme=True)

    def site(self) -> StaticSite:
        """The index of the loaded service's web content; made anew only when the service changed."""
        descriptor = self.state.descriptor
        if self._site is None or self._site_of is not descriptor:
            layout = BundleLayout(Path(self.state.bundle_path), descriptor.name)
            self._site, self._site_of = StaticSite(layout.static_content), descriptor
        return self._site
