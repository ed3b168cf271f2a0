"""Templates: every page is escaped text; nothing of a bundle is ever markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from .state import WebState

TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Renders templates."""

    def __init__(self, state: WebState) -> None:
        self._prefix = state.prefix
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, request: Request, **values: Any) -> HTMLResponse:
        """The page that a template makes of the values."""
        text = self._environment.get_template(template).render(
            prefix=self._prefix, path=request.url.path, **values
        )
        return HTMLResponse(text)
