"""Aliases: `Name@prod` → a version, with every move kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from bentoml.repository.models import alias_moves, aliases, bentos, utc_now
from bentoml.yatai.access import Caller


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that points to one version of a service."""

    name: str
    alias: str
    version: str
    moved_at: datetime
    moved_by: str


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One move; a version of None means that the alias was not there (any more)."""

    name: str
    alias: str
    from_version: str | None
    to_version: str | None
    moved_at: datetime
    moved_by: str


def find(connection: Connection, name: str, alias: str) -> Alias | None:
    query = select(aliases).where(aliases.c.name == name, aliases.c.alias == alias)
    row = connection.execute(query).first()
    return None if row is None else Alias(row.name, row.alias, row.version, row.moved_at, row.moved_by)


def find_all(connection: Connection, name: str | None = None) -> list[Alias]:
    query = select(aliases).order_by(aliases.c.name, aliases.c.alias)
    if name:
        query = query.where(aliases.c.name == name)
    return [
        Alias(row.name, row.alias, row.version, row.moved_at, row.moved_by)
        for row in connection.execute(query)
    ]


def to_version(connection: Connection, name: str, version: str) -> list[str]:
    """The aliases of one version."""
    query = select(aliases.c.alias).where(aliases.c.name == name, aliases.c.version == version)
    return list(connection.scalars(query.order_by(aliases.c.alias)))


def history(connection: Connection, name: str, alias: str) -> list[AliasMove]:
    """Moves of one alias, newest first."""
    query = select(alias_moves).where(alias_moves.c.name == name, alias_moves.c.alias == alias)
    return [
        AliasMove(row.name, row.alias, row.from_version, row.to_version, row.moved_at, row.moved_by)
        for row in connection.execute(query.order_by(alias_moves.c.id.desc()))
    ]


def move(connection: Connection, caller: Caller, name: str, alias: str, version: str | None) -> None:
    """Point an alias to a version, or remove it (None), and keep the move."""
    before = find(connection, name, alias)
    here = (aliases.c.name == name, aliases.c.alias == alias)
    values = {"version": version, "moved_at": utc_now(), "moved_by": caller.name}
    if version is None:
        connection.execute(delete(aliases).where(*here))
    elif before is None:
        connection.execute(insert(aliases).values(name=name, alias=alias, **values))
    else:
        connection.execute(update(aliases).where(*here).values(**values))
    connection.execute(
        insert(alias_moves).values(
            name=name,
            alias=alias,
            from_version=before.version if before else None,
            to_version=version,
            moved_at=values["moved_at"],
            moved_by=caller.name,
        )
    )
    touched = [found for found in (before.version if before else None, version) if found is not None]
    connection.execute(
        update(bentos)
        .where(bentos.c.name == name, bentos.c.version.in_(touched))
        .values(revision=bentos.c.revision + 1)
    )
