"""The caller of a web request: a bearer token, a session, or whoever is at this machine."""

from __future__ import annotations

from starlette.requests import Request

from bentoml.exceptions import Unauthenticated
from bentoml.yatai.access import Caller
from bentoml.yatai.api.auth import TOKEN_KEY

from .state import WebState

SESSION_TOKEN = "token"


def caller_of(state: WebState, request: Request, scope: str) -> Caller:
    """Who asks. Raises `Unauthenticated`, `PermissionDenied`.

    May query the database: call it in a thread, as Starlette does with endpoints that are no coroutines.
    """
    caller = _recognise(state, request)
    caller.require(scope)
    return caller


def sent_token(request: Request) -> str:
    """The token in the headers of a program's request, or ""."""
    header = request.headers.get("authorization", "")
    secret = header[7:].strip() if header.lower().startswith("bearer ") else ""
    return secret or request.headers.get(TOKEN_KEY, "")


def _recognise(state: WebState, request: Request) -> Caller:
    secret = sent_token(request)
    name = request.session.get(SESSION_TOKEN, "")
    if secret or not name or not state.authenticator.required:
        return state.authenticator.caller_of(secret)
    try:
        return state.registry.tokens.recognise(str(name))
    except Unauthenticated:
        request.session.pop(SESSION_TOKEN, None)
        raise
