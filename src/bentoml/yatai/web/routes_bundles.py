"""The list of bundles, as a page and as JSON."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bentoml.exceptions import InvalidArgument
from bentoml.repository.selector import parse_selector
from bentoml.yatai.access import READ
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.services.bundles import Page

from .auth import caller_of
from .pages import Pages
from .state import WebState

ROWS = 40


def bundle_routes(state: WebState, pages: Pages) -> list[Route]:
    """`/repository`, its `.json` twin, and `/` which shows the same."""

    def found(request: Request) -> tuple[BundleQuery, Page]:
        caller_of(state, request, READ)
        query = _query(request)
        return query, state.registry.bundles.search(query)

    def page(request: Request) -> Response:
        query, result = found(request)
        asked = {"search": query.text, "labels": request.query_params.get("labels", "")}
        return pages.render("repository.html", request, query=query, page=result, asked=asked)

    def json(request: Request) -> Response:
        query, result = found(request)
        bundles: list[dict[str, Any]] = [record.to_dict() for record in result.records]
        return JSONResponse({"total": result.total, "offset": query.offset, "bundles": bundles})

    return [Route("/", page), Route("/repository", page), Route("/repository.json", json)]


def _query(request: Request) -> BundleQuery:
    asked = request.query_params
    return BundleQuery(
        name=asked.get("name") or None,
        text=asked.get("search", ""),
        labels=parse_selector(asked.get("labels")),
        order_by=asked.get("order_by", "created_at"),
        ascending=asked.get("ascending", "") in ("1", "true"),
        offset=_number(asked.get("offset"), 0),
        limit=min(_number(asked.get("limit"), ROWS), 1000),
    )


def _number(text: str | None, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidArgument(f"'{text[:32]}' is no number of rows.")
    return int(text)
