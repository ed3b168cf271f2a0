"""Tokens: only the hash of their text is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from bentoml.exceptions import AlreadyExists
from bentoml.repository.models import tokens, utc_now


@dataclass(frozen=True, slots=True)
class Token:
    """What is known about a token; its text is not (times in UTC, no time zone)."""

    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def add(
    connection: Connection,
    name: str,
    sha256: str,
    scopes: Sequence[str],
    created_by: str,
    expires_at: datetime | None,
) -> None:
    """Raises `AlreadyExists`."""
    values = {
        "name": name,
        "sha256": sha256,
        "scopes": list(scopes),
        "created_at": utc_now(),
        "created_by": created_by,
        "expires_at": expires_at,
    }
    try:
        connection.execute(insert(tokens).values(values))
    except IntegrityError as err:
        raise AlreadyExists(
            f"There is a token named '{name}' already; revoked ones keep their names."
        ) from err


def find_by_hash(connection: Connection, sha256: str) -> Token | None:
    row = connection.execute(select(tokens).where(tokens.c.sha256 == sha256)).first()
    return None if row is None else _token(row)


def find_by_name(connection: Connection, name: str) -> Token | None:
    row = connection.execute(select(tokens).where(tokens.c.name == name)).first()
    return None if row is None else _token(row)


def find_all(connection: Connection) -> list[Token]:
    return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.id))]


def revoke(connection: Connection, name: str) -> bool:
    """False if there is no such token in force."""
    query = update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None))
    return connection.execute(query.values(revoked_at=utc_now())).rowcount == 1


def note_use(connection: Connection, name: str) -> None:
    connection.execute(update(tokens).where(tokens.c.name == name).values(last_used_at=utc_now()))


def count_valid(connection: Connection, scope: str) -> int:
    """Tokens in force that have a scope."""
    now = utc_now()
    return sum(token.is_valid(now) and scope in token.scopes for token in find_all(connection))


def count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(tokens)) or 0


def _token(row: Any) -> Token:
    return Token(
        name=row.name,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
