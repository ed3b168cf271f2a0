"""The caller of a web request: a bearer token, the session cookie, or nobody in particular."""

from __future__ import annotations

from starlette.requests import Request

from bentoml.yatai.access import Caller
from bentoml.yatai.api.auth import TOKEN_KEY

from .state import WebState

COOKIE = "yatai_token"


def caller_of(state: WebState, request: Request, scope: str) -> Caller:
    """Who asks. Raises `Unauthenticated`, `PermissionDenied`.

    May query the database: call it in a thread, as Starlette does with endpoints that are no coroutines.
    """
    header = request.headers.get("authorization", "")
    secret = header[7:].strip() if header.lower().startswith("bearer ") else ""
    secret = secret or request.headers.get(TOKEN_KEY, "") or request.cookies.get(COOKIE, "")
    caller = state.authenticator.caller_of(secret)
    caller.require(scope)
    return caller
