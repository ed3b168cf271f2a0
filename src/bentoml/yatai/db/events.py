"""The audit log: one row for every change, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from bentoml.repository.models import events, utc_now
from bentoml.yatai.access import Caller

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Event:
    """Who did what to which thing, and when (UTC, no time zone)."""

    id: int
    happened_at: datetime
    actor: str
    action: str
    resource_type: str
    resource: str
    details: dict[str, Any]


def record(
    connection: Connection,
    caller: Caller,
    action: str,
    resource_type: str,
    resource: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Note a change."""
    connection.execute(
        insert(events).values(
            happened_at=utc_now(),
            actor=caller.name,
            action=action,
            resource_type=resource_type,
            resource=resource,
            details=dict(details or {}),
        )
    )


def recording(
    caller: Caller, action: str, resource_type: str, resource: str, **details: Any
) -> Callable[[Connection], None]:
    """`record`, to be called in the transaction of the change."""
    return lambda connection: record(connection, caller, action, resource_type, resource, details)


def find(
    connection: Connection,
    *,
    resource: str | None = None,
    resource_type: str | None = None,
    actor: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Event]:
    """Events, newest first; `resource` may also be a name whose versions are meant."""
    query = select(events).order_by(events.c.id.desc()).limit(max(0, min(limit, MOST_AT_ONCE)))
    if resource:
        versions = events.c.resource.startswith(f"{resource}:", autoescape=True)
        aliases = events.c.resource.startswith(f"{resource}@", autoescape=True)
        query = query.where((events.c.resource == resource) | versions | aliases)
    if resource_type:
        query = query.where(events.c.resource_type == resource_type)
    if actor:
        query = query.where(events.c.actor == actor)
    if before_id:
        query = query.where(events.c.id < before_id)
    return [Event(*row) for row in connection.execute(query)]
