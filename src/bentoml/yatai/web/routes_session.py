"""Logging in with a token, and out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bentoml.exceptions import BentoMLException, Unauthenticated

from .auth import SESSION_TOKEN
from .session import CSRF_FIELD, check_csrf
from .views import Views, local_path


def session_routes(views: Views) -> list[Route]:
    """`/login` and `/logout`."""
    state = views.state

    def asked(request: Request) -> Response:
        return login_page(request, request.query_params.get("next", "/"))

    def login_page(request: Request, target: str, problem: str = "", status: int = 200) -> Response:
        target = local_path(target)
        return views.pages.render("login.html", request, None, status, target=target, problem=problem)

    def log_in(request: Request, secret: str, csrf: str, target: str) -> Response:
        try:
            check_csrf(request, csrf)
            caller = state.registry.tokens.authenticate(secret)
        except Unauthenticated:
            return login_page(request, target, "This token is unknown, expired or revoked.", 401)
        except BentoMLException as err:
            return login_page(request, target, str(err), err.http_status)
        request.session.clear()  # a session from before the login is nobody's any more
        request.session[SESSION_TOKEN] = caller.name
        return RedirectResponse(state.prefix + local_path(target), 303)

    async def login(request: Request) -> Response:
        form = await request.form(max_fields=10, max_files=0)
        secret, csrf, target = (str(form.get(key, "")) for key in ("token", CSRF_FIELD, "next"))
        return await run_in_threadpool(log_in, request, secret.strip(), csrf, target)

    async def logout(request: Request) -> Response:
        form = await request.form(max_fields=10, max_files=0)
        check_csrf(request, str(form.get(CSRF_FIELD, "")))
        request.session.clear()
        return RedirectResponse(f"{state.prefix}/login", 303)

    return [
        Route("/login", asked, methods=["GET"]),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
    ]
