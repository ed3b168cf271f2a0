"""Retention rules, and which bundles are old enough to go and used by nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from bentoml.repository.models import aliases, bentos, deployments, retention_rules, utc_now
from bentoml.tags import Tag

from .bundles import BundleQuery, keys

DEFAULT = ""
_ALL = 2**31 - 1
_IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """How many bundles of a name stay.

    Attributes:
        name: "" is the rule of every name that has none of its own.
        keep_last: None keeps all of them.
        applied_at: when bundles were last looked at for it.
    """

    name: str
    keep_last: int | None
    set_at: datetime
    set_by: str
    applied_at: datetime | None = None


def find_all(connection: Connection) -> list[Rule]:
    """All rules, the default first."""
    query = select(retention_rules).order_by(retention_rules.c.name)
    return [Rule(*row) for row in connection.execute(query)]


def put(connection: Connection, rule: Rule) -> None:
    remove(connection, rule.name)
    connection.execute(
        insert(retention_rules).values(
            name=rule.name, keep_last=rule.keep_last, set_at=rule.set_at, set_by=rule.set_by
        )
    )


def remove(connection: Connection, name: str) -> bool:
    """Whether there was one."""
    return connection.execute(delete(retention_rules).where(retention_rules.c.name == name)).rowcount > 0


def applied(connection: Connection) -> None:
    """Note that all rules were applied now."""
    connection.execute(update(retention_rules).values(applied_at=utc_now()))


def beyond(connection: Connection, query: BundleQuery, keep_last: Callable[[str], int | None]) -> list[Tag]:
    """Bundles of a query beyond the newest of their name, newest first.

    Those that an alias points to, or a deployment names, are neither returned nor counted.
    """
    used = in_use(connection)
    counted: dict[str, int] = {}
    found = []
    for tag in _tags(connection, query):
        if tag in used:
            continue
        counted[tag.name] = counted.get(tag.name, 0) + 1
        most = keep_last(tag.name)
        if most is not None and counted[tag.name] > most:
            found.append(tag)
    return found


def in_use(connection: Connection) -> set[Tag]:
    """Bundles that an alias points to or a deployment names."""
    used = {Tag(row.name, row.version) for row in connection.execute(select(aliases))}
    for spec in connection.scalars(select(deployments.c.spec)):
        name, version = str(spec.get("bento_name") or ""), str(spec.get("bento_version") or "")
        if name and version:
            used.add(Tag(name, version))
    return used


def _tags(connection: Connection, query: BundleQuery) -> list[Tag]:
    ids = [row_id for row_id, _ in keys(connection, replace(query, offset=0, limit=_ALL))]
    found: dict[int, Tag] = {}
    for start in range(0, len(ids), _IDS_PER_QUERY):
        part = select(bentos.c.id, bentos.c.name, bentos.c.version)
        rows = connection.execute(part.where(bentos.c.id.in_(ids[start : start + _IDS_PER_QUERY])))
        found.update({row.id: Tag(row.name, row.version) for row in rows})
    return [found[row_id] for row_id in ids if row_id in found]
