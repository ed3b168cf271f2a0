"""Reading the audit log."""

from __future__ import annotations

from bentoml.repository.database import Database
from bentoml.yatai.access import READ, Caller
from bentoml.yatai.db import events as event_db
from bentoml.yatai.db.events import Event


class Events:
    """Who changed what, and when."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        caller: Caller,
        *,
        resource: str | None = None,
        resource_type: str | None = None,
        actor: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[Event]:
        """Events, newest first.

        Args:
            resource: a tag, or a name, whose versions and aliases are then meant too.
            before_id: only older ones; to read on from the last one of a page.
        """
        caller.require(READ)
        return self._database.read(
            lambda connection: event_db.find(
                connection,
                resource=resource,
                resource_type=resource_type,
                actor=actor,
                before_id=before_id,
                limit=limit,
            )
        )
