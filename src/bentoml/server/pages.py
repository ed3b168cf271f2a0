"""The pages `/` and `/docs`: Swagger UI, and the service's own text beside it.

HTML is filled in on the server, every value escaped, with no inline script or style, so a strict
Content-Security-Policy holds. All links are relative: the page works below any URL prefix.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from importlib.resources import files
from string import Template

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bentoml.markdown import render_markdown

from .app_state import AppState
from .assets import asset
from .endpoint import endpoint
from .errors import text_error
from .headers import PAGE_POLICY

NO_TEXT = (
    "This service has no description yet. Write a docstring in its class: "
    "Markdown, as you would write a README."
)
LINKS = (("metadata", "Metadata"), ("metrics", "Metrics"), ("healthz", "Health"), ("docs.json", "OpenAPI"))


def page_routes(state: AppState) -> list[BaseRoute]:
    """`/docs` and the page's files; `/` is routed by the application, see `front_page`."""

    async def docs(request: Request) -> Response:
        return docs_page(state, with_readme=False)

    return [
        endpoint("/docs", docs, "GET"),
        endpoint("/static_content/{name}", asset, "GET"),
    ]


def docs_page(state: AppState, *, with_readme: bool) -> Response:
    """Swagger UI, with or without the tab of the service's text; 404 when it is disabled."""
    if not state.settings.swagger_enabled:
        return text_error(404, "Swagger is disabled")
    descriptor = state.descriptor
    readme = state.readme or descriptor.doc
    html = page_template().substitute(
        name=escape(descriptor.name),
        version=escape(descriptor.version),
        links=nav_links(state),
        tabs=load_text("tabs.html") if with_readme else "",
        readme=readme_panel(readme) if with_readme else "",
    )
    return Response(
        html,
        headers={"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"},
        media_type="text/html",
    )


def readme_panel(text: str) -> str:
    """The panel of the second tab."""
    body = render_markdown(text) if text.strip() else f'<p class="empty">{escape(NO_TEXT)}</p>'
    return (
        '<section id="panel-readme" class="panel readme" role="tabpanel" aria-labelledby="tab-readme">'
        f"{body}</section>"
    )


def nav_links(state: AppState) -> str:
    """Links to the server's other pages."""
    shown = [pair for pair in LINKS if pair[0] != "metrics" or state.settings.metrics.enabled]
    return "".join(f'<a href="{path}">{label}</a>' for path, label in shown)


@lru_cache(maxsize=1)
def page_template() -> Template:
    return Template(load_text("page.html"))


@lru_cache(maxsize=8)
def load_text(name: str) -> str:
    """A text file of the page."""
    return files("bentoml.server").joinpath("ui").joinpath(name).read_text("utf-8")
