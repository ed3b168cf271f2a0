"""The repository: lists of bundles, one service with its versions, one bundle, two compared."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from bentoml.exceptions import BentoMLException, InvalidArgument, NotFound
from bentoml.repository.base import BundleRecord
from bentoml.repository.selector import parse_selector
from bentoml.tags import Tag
from bentoml.yatai.access import Caller
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.services.compare import compare, compare_files

from .api_calls import with_call
from .contents import digests, is_near, operations, read_contents
from .plain import alias_move_row, alias_row, bundle_detail, bundle_row, event_row, rule_row
from .views import Views, number

ROWS = 40
MOST_ROWS = 1000


def bundle_routes(views: Views) -> list[Route]:
    """Pages about bundles, each with its JSON twin."""
    registry = views.state.registry
    bundles = registry.bundles

    def listing(query: BundleQuery) -> dict[str, Any]:
        page = bundles.search(query)
        end = query.offset + len(page.records)
        return {
            "total": page.total,
            "offset": query.offset,
            "limit": query.limit,
            "first": query.offset + 1 if page.records else 0,
            "last": end,
            "previous_offset": max(0, query.offset - query.limit) if query.offset else None,
            "next_offset": end if end < page.total else None,
            "order_by": query.order_by,
            "ascending": query.ascending,
            "bundles": [bundle_row(record) for record in page.records],
        }

    def repository(request: Request, _caller: Caller) -> dict[str, Any]:
        asked = request.query_params
        data = listing(_query(request, asked.get("name") or None))
        return {**data, "asked": {key: asked.get(key, "") for key in ("search", "labels")}}

    def trash(request: Request, _caller: Caller) -> dict[str, Any]:
        days = bundles.restore_period.total_seconds() / 86400
        return {**listing(_query(request, None, only_deleted=True)), "restore_days": days}

    def service(request: Request, caller: Caller) -> dict[str, Any]:
        name = request.path_params["name"]
        data = listing(_query(request, name))
        aliases = registry.aliases.find_all(name)
        if not data["total"] and not request.query_params.get("labels"):
            raise NotFound(f"There is no bundle named '{name}'.")
        moves = [move for alias in aliases for move in registry.aliases.history(name, alias.alias)[:5]]
        moves.sort(key=lambda move: move.moved_at, reverse=True)
        rule = registry.retention.rule_of(name)
        return {
            "name": name,
            **data,
            "asked": {"labels": request.query_params.get("labels", "")},
            "retention": rule_row(rule) if rule else None,
            "aliases": [alias_row(alias) for alias in aliases],
            "alias_moves": [alias_move_row(move) for move in moves[:10]],
            "events": [event_row(event) for event in registry.events.find(caller, resource=name, limit=8)],
        }

    def detail(request: Request, caller: Caller) -> dict[str, Any]:
        record = _asked_for(views, request)
        opened = is_near(bundles) or request.query_params.get("contents") == "1"
        contents: dict[str, Any] | None = None
        problem = ""
        if opened:
            try:
                contents = read_contents(bundles, record)
            except (BentoMLException, OSError) as err:
                problem = str(err)
        known = operations(contents["openapi"]) if contents else {}
        data = bundle_detail(record)
        data["apis"] = [with_call(api, known) for api in data["apis"]]
        return {
            "bundle": data,
            "contents": contents,
            "contents_problem": problem,
            "store": bundles.store.address,
            "version_before": bundles.version_before(record),
            "events": [
                event_row(event) for event in registry.events.find(caller, resource=record.tag, limit=10)
            ],
        }

    def confirmation(request: Request, _caller: Caller) -> dict[str, Any]:
        return {"bundle": bundle_row(_asked_for(views, request))}

    def comparison(request: Request, _caller: Caller) -> dict[str, Any]:
        chosen = request.query_params.getlist("tag")
        tags = chosen or [request.query_params.get(key, "") for key in ("first", "second")]
        if len(tags) != 2 or not all(tags):
            raise InvalidArgument("Choose two bundles to compare: /compare?tag=NAME:VERSION&tag=NAME:VERSION")
        parsed = [Tag.parse(tag) for tag in tags]
        found = [bundles.find(tag.name, tag.version) for tag in parsed]
        first, second = sorted(found, key=lambda record: record.row_id) if chosen else found
        result = compare(first, second)
        if is_near(bundles):
            result["files"] = compare_files(digests(bundles, first), digests(bundles, second))
        return {"first": bundle_row(first), "second": bundle_row(second), "result": result}

    return [
        *views.page("/repository", "repository.html", repository),
        *views.page("/trash", "trash.html", trash),
        *views.page("/compare", "compare.html", comparison),
        *views.page("/repository/{name}", "service.html", service),
        *views.page("/repository/{name}/{version}", "bundle.html", detail),
        *views.page("/repository/{name}/{version}/delete", "delete.html", confirmation),
    ]


def _query(request: Request, name: str | None, *, only_deleted: bool = False) -> BundleQuery:
    asked = request.query_params
    return BundleQuery(
        name=name,
        text=asked.get("search", "").strip(),
        labels=parse_selector(asked.get("labels")),
        order_by=asked.get("order_by", "created_at"),
        ascending=asked.get("ascending", "") in ("1", "true"),
        offset=number(asked.get("offset"), 0, 10**9),
        limit=max(1, number(asked.get("limit"), ROWS, MOST_ROWS)),
        only_deleted=only_deleted,
    )


def _asked_for(views: Views, request: Request) -> BundleRecord:
    values = request.path_params
    return views.state.registry.bundles.find(values["name"], values["version"])
