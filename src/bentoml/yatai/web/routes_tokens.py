"""Tokens, for administrators."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bentoml.exceptions import InvalidArgument
from bentoml.repository.models import utc_now
from bentoml.yatai.access import ADMIN, SCOPES, Caller

from .auth import sent_token
from .plain import token_row
from .session import flash
from .views import Views, number

MOST_DAYS = 3650


def token_routes(views: Views) -> list[Route]:
    """`/tokens` and its forms. The text of a new token is shown once and kept nowhere."""
    tokens = views.state.registry.tokens

    def listing(_request: Request, caller: Caller) -> dict[str, Any]:
        now = utc_now()
        return {
            "tokens": [token_row(token, now) for token in tokens.find_all(caller)],
            "scopes": list(SCOPES),
        }

    def create(request: Request, caller: Caller, fields: dict[str, str]) -> Response:
        name = fields.get("name", "").strip()
        scopes = [scope for scope in SCOPES if fields.get(f"scope_{scope}")]
        days = number(fields.get("days"), 0, MOST_DAYS)
        if not scopes:
            raise InvalidArgument("Choose what the token may do.")
        _, secret = tokens.create(caller, name, scopes, timedelta(days=days) if days else None)
        if sent_token(request):
            return JSONResponse({"name": name, "token": secret}, 201)
        new = {"name": name, "secret": secret}
        return views.pages.render("tokens.html", request, caller, **listing(request, caller), new=new)

    def revoke(request: Request, caller: Caller, fields: dict[str, str]) -> str:
        name = fields.get("name", "")
        tokens.revoke(caller, name)
        flash(request, f"Token {name} is revoked.")
        return "/tokens"

    return [
        *views.page("/tokens", "tokens.html", listing, ADMIN),
        views.form("/tokens/create", create, ADMIN),
        views.form("/tokens/revoke", revoke, ADMIN),
    ]
