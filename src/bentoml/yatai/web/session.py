"""The session of a browser: who logged in, a secret against forged forms, and messages for the next page.

It lives in a signed cookie (Starlette's `SessionMiddleware`). The cookie holds the name of a token, never
its text, and the token is looked up at every request: revoking it ends all sessions.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from starlette.requests import Request

from bentoml.exceptions import PermissionDenied

COOKIE = "yatai_session"
MAX_AGE_S = 14 * 24 * 3600
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"


def session_key(directory: Path) -> str:
    """The key that signs cookies, made once and readable by the owner only."""
    path = directory / "session.key"
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        directory.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(new, path)  # the first of several servers wins
        except FileExistsError:
            pass
        finally:
            new.unlink()
        return path.read_text("ascii").strip()


def csrf_token(request: Request) -> str:
    """The secret that forms of this session carry."""
    return str(request.session.setdefault("csrf", secrets.token_urlsafe(24)))


def check_csrf(request: Request, given: str) -> None:
    """Raises `PermissionDenied` unless the form comes from a page of this session."""
    wanted = request.session.get("csrf", "")
    if not (wanted and hmac.compare_digest(str(wanted).encode(), given.encode())):
        raise PermissionDenied("The form is too old or comes from another site. Load the page again.")


def flash(request: Request, text: str, *, is_error: bool = False) -> None:
    """Show a message on the next page."""
    request.session.setdefault("flashes", []).append([text[:1000], is_error])


def take_flashes(request: Request) -> list[list[object]]:
    """The messages that are due, which are then gone."""
    return list(request.session.pop("flashes", []))
