"""Templates: every page is escaped text; nothing of a bundle is ever markup, but its README as safe HTML."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

import bentoml
from bentoml.markdown import render_markdown
from bentoml.yatai.access import Caller

from .charts import charts, figure_text, table
from .session import csrf_token, take_flashes
from .state import WebState

HERE = Path(__file__).parent
STATIC = HERE / "static"
_UNITS = (("year", 31_536_000), ("month", 2_592_000), ("day", 86_400), ("hour", 3600), ("minute", 60))


class Pages:
    """Renders templates."""

    def __init__(self, state: WebState) -> None:
        self._state = state
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            age=age,
            bytes=human_bytes,
            pretty=pretty,
            markdown=_markdown,
            segment=lambda text: quote(text, ""),
        )
        self._environment.globals.update(charts=charts, figure_text=figure_text, figures_table=table)

    def render(
        self, template: str, request: Request, caller: Caller | None, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """The page that a template makes of the values."""
        port = self._state.settings.yatai.grpc_port or 50051
        text = self._environment.get_template(template).render(
            prefix=self._state.prefix,
            path=request.url.path.removeprefix(self._state.prefix) or "/",
            caller=caller,
            login_is_used=self._state.authenticator.required,
            csrf=csrf_token(request),
            flashes=take_flashes(request),
            release=bentoml.__version__,
            grpc_address=f"{request.url.hostname or '127.0.0.1'}:{port}",
            with_query=lambda **changes: with_query(request, **changes),
            **values,
        )
        return HTMLResponse(text, status, headers={"cache-control": "no-store"})


def segment(text: str) -> str:
    """The text as one part of a URL's path."""
    return quote(text, "")


def with_query(request: Request, **changes: Any) -> str:
    """The query string of the request with some values changed, or left out if they are None."""
    values = {**request.query_params, **changes}
    kept = {key: value for key, value in values.items() if value not in (None, "")}
    return f"?{urlencode(kept)}" if kept else "?"


def age(iso: str | None, now: datetime | None = None) -> str:
    """How long ago a moment was, in its largest unit."""
    if not iso:
        return "–"
    then = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    seconds = ((now or datetime.now(timezone.utc)) - then).total_seconds()
    for unit, length in _UNITS:
        count = int(abs(seconds) // length)
        if count:
            text = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "just now"


def human_bytes(count: int | None) -> str:
    """A size with three digits at most: "0 B", "12.4 MiB"."""
    if count is None:
        return "–"
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" or value >= 100 else f"{value:.1f} {units[0]}"


def pretty(value: Any) -> str:
    """Nested data as a person reads it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _markdown(text: str) -> Markup:
    return Markup(render_markdown(text))
