"""The retention rules, and what they delete next."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from bentoml.exceptions import InvalidArgument
from bentoml.yatai.access import ADMIN, Caller
from bentoml.yatai.db.retention import DEFAULT
from bentoml.yatai.services.retention import MOST_KEPT

from .plain import rule_row, tag_row
from .session import flash
from .views import Views, number

MOST_SHOWN = 200


def retention_routes(views: Views) -> list[Route]:
    """`/retention` and its forms; everybody sees it, administrators change it."""
    retention = views.state.registry.retention
    days = views.state.settings.yatai.restore_days

    def listing(_request: Request, caller: Caller) -> dict[str, Any]:
        outlook = retention.outlook(caller)
        return {
            "rules": [rule_row(rule) for rule in outlook.rules],
            "doomed": [tag_row(tag) for tag in outlook.doomed[:MOST_SHOWN]],
            "doomed_count": len(outlook.doomed),
            "restore_days": days,
        }

    def change(request: Request, caller: Caller, fields: dict[str, str]) -> str:
        name = fields.get("name", "").strip() or DEFAULT
        if not fields.get("keep_all") and not fields.get("keep_last"):
            raise InvalidArgument("Say how many bundles stay.")
        keep_last = None if fields.get("keep_all") else number(fields.get("keep_last"), 0, MOST_KEPT + 1)
        _, doomed = retention.set_rule(caller, name, keep_last)
        kept = "all bundles" if keep_last is None else f"the last {keep_last}"
        flash(
            request, f"{name or 'Every other name'} keeps {kept}. The next run deletes {len(doomed)} for it."
        )
        return "/retention"

    def remove(request: Request, caller: Caller, fields: dict[str, str]) -> str:
        name = fields.get("name", "")
        retention.remove_rule(caller, name)
        flash(request, f"The rule of {name or 'every other name'} is removed.")
        return "/retention"

    def apply(request: Request, caller: Caller, _fields: dict[str, str]) -> str:
        gone = retention.apply(caller)
        text = f"{len(gone)} deleted. They can be restored for {days:g} days, under Deleted."
        flash(request, text if gone else "There was nothing to delete.")
        return "/retention"

    return [
        *views.page("/retention", "retention.html", listing),
        views.form("/retention/set", change, ADMIN),
        views.form("/retention/remove", remove, ADMIN),
        views.form("/retention/apply", apply, ADMIN),
    ]
