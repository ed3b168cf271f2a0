"""How a page is made: a function gives plain data, a template shows it, and `.json` answers with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.yatai.access import READ, Caller

from .auth import caller_of, sent_token
from .pages import Pages
from .session import CSRF_FIELD, CSRF_HEADER, check_csrf, flash
from .state import WebState

Data = Callable[[Request, Caller], dict[str, Any]]
Change = Callable[[Request, Caller, dict[str, str]], "str | Response"]
MAX_FORM_FIELDS = 100


class Views:
    """Makes routes. Endpoints are plain functions, which Starlette runs in threads."""

    def __init__(self, state: WebState, pages: Pages) -> None:
        self.state = state
        self.pages = pages

    def page(self, path: str, template: str, data: Data, scope: str = READ) -> list[Route]:
        """A page and its JSON twin, which is matched first."""

        def html(request: Request) -> Response:
            caller = caller_of(self.state, request, scope)
            return self.pages.render(template, request, caller, **data(request, caller))

        def json(request: Request) -> Response:
            return JSONResponse(data(request, caller_of(self.state, request, scope)))

        twin = "/index.json" if path == "/" else f"{path}.json"
        return [Route(twin, json), Route(path, html)]

    def form(self, path: str, change: Change, scope: str = READ) -> Route:
        """Where a form is sent: makes the change and leads to the page that `change` names, or is its answer.

        A program with a token in its headers gets JSON, and needs no secret of a session.
        """

        def work(request: Request, fields: dict[str, str]) -> Response:
            is_program = bool(sent_token(request))
            caller = caller_of(self.state, request, scope)
            if not is_program:
                check_csrf(request, request.headers.get(CSRF_HEADER) or fields.get(CSRF_FIELD, ""))
            target: str | Response
            try:
                target = change(request, caller, fields)
            except BentoMLException as err:
                if is_program or err.http_status >= 500:
                    raise
                flash(request, str(err), is_error=True)
                target = fields.get("back", "/")
            if isinstance(target, Response):
                return target
            if is_program:
                return JSONResponse({"location": self.state.prefix + local_path(target)})
            return RedirectResponse(self.state.prefix + local_path(target), 303)

        async def endpoint(request: Request) -> Response:
            form = await request.form(max_fields=MAX_FORM_FIELDS, max_files=0)
            return await run_in_threadpool(work, request, _texts(form))

        return Route(path, endpoint, methods=["POST"])


def number(text: str | None, default: int, most: int) -> int:
    """A number of a query string. Raises `InvalidArgument`."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidArgument(f"'{text[:32]}' is no number.")
    return min(int(text), most)


def local_path(target: str) -> str:
    """A path of this site; anything that leads elsewhere becomes the first page."""
    is_local = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_local and not any(ord(char) < 32 for char in target) else "/"


def _texts(form: FormData) -> dict[str, str]:
    return {key: value for key, value in form.multi_items() if isinstance(value, str)}
