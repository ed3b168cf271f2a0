"""Tokens: made with scopes, shown once, kept as a hash, revoked."""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import timedelta

from sqlalchemy import Connection

from bentoml.exceptions import NotFound, Unauthenticated
from bentoml.repository.database import Database
from bentoml.repository.models import utc_now
from bentoml.tags import validate_label_key
from bentoml.yatai.access import ADMIN, Caller, validate_scopes
from bentoml.yatai.db import events
from bentoml.yatai.db import tokens as token_db
from bentoml.yatai.db.tokens import Token

PREFIX = "ybt_"  # recognisable by scanners that look for leaked secrets
TOKEN = "token"
_CACHE_S = 5.0
_USE_NOTED_EVERY_S = 60.0


class Tokens:
    """Use cases about tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Token]] = {}
        self._noted: dict[str, float] = {}

    def create(
        self, caller: Caller, name: str, scopes: list[str], expires_in: timedelta | None = None
    ) -> tuple[Token, str]:
        """A new token and its text, which nobody can read again.

        Raises:
            AlreadyExists: the name is taken.
            InvalidArgument: an unknown scope, or a name outside the grammar.
        """
        caller.require(ADMIN)
        validate_label_key(name)
        checked = validate_scopes(scopes)
        secret = PREFIX + secrets.token_urlsafe(32)
        expires_at = utc_now() + expires_in if expires_in is not None else None

        def work(connection: Connection) -> Token | None:
            token_db.add(connection, name, _hash(secret), checked, caller.name, expires_at)
            events.record(connection, caller, "token.create", TOKEN, name, {"scopes": list(checked)})
            return token_db.find_by_name(connection, name)

        token = self._database.write(work)
        assert token is not None
        return token, secret

    def revoke(self, caller: Caller, name: str) -> None:
        """Raises `NotFound`. It works on other servers of the same database within seconds."""
        caller.require(ADMIN)

        def work(connection: Connection) -> None:
            if not token_db.revoke(connection, name):
                raise NotFound(f"There is no token '{name}' in force.")
            events.record(connection, caller, "token.revoke", TOKEN, name)

        self._database.write(work)
        self._known.clear()

    def find_all(self, caller: Caller) -> list[Token]:
        """All tokens, revoked ones included."""
        caller.require(ADMIN)
        return self._database.read(token_db.find_all)

    def has_any_admin(self) -> bool:
        """Whether somebody could log in and make further tokens."""
        return self._database.read(lambda connection: token_db.count_valid(connection, ADMIN)) > 0

    def authenticate(self, secret: str) -> Caller:
        """Who has that token. Raises `Unauthenticated`."""
        token = self._look_up(_hash(secret))
        if token is None or not token.is_valid(utc_now()):
            raise Unauthenticated("The access token is not valid: it is unknown, expired or revoked.")
        self._note_use(token.name)
        return Caller(token.name, frozenset(token.scopes))

    def recognise(self, name: str) -> Caller:
        """Who logged in with the token of that name. Raises `Unauthenticated` once it is not in force."""
        token = self._database.read(lambda connection: token_db.find_by_name(connection, name))
        if token is None or not token.is_valid(utc_now()):
            raise Unauthenticated("The session has ended: its token is expired or revoked.")
        return Caller(token.name, frozenset(token.scopes))

    def _look_up(self, sha256: str) -> Token | None:
        known = self._known.get(sha256)
        if known is not None and time.monotonic() - known[0] < _CACHE_S:
            return known[1]
        token = self._database.read(lambda connection: token_db.find_by_hash(connection, sha256))
        if token is None:
            self._known.pop(sha256, None)
        else:
            self._known[sha256] = (time.monotonic(), token)
        return token

    def _note_use(self, name: str) -> None:
        now = time.monotonic()
        if now - self._noted.get(name, -_USE_NOTED_EVERY_S) >= _USE_NOTED_EVERY_S:
            self._noted[name] = now
            self._database.write(lambda connection: token_db.note_use(connection, name))


def _hash(secret: str) -> str:
    """Tokens are long random text, so a plain digest cannot be guessed backwards."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
