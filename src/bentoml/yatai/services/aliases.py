"""Aliases: moved atomically, with their history, and back again in one step."""

from __future__ import annotations

from sqlalchemy import Connection

from bentoml.exceptions import FailedPrecondition, InvalidArgument, NotFound
from bentoml.repository.database import Database
from bentoml.tags import LATEST, Tag, validate_label_key, validate_service_name
from bentoml.yatai.access import WRITE, Caller
from bentoml.yatai.db import aliases as alias_db
from bentoml.yatai.db import bundles as bundle_db
from bentoml.yatai.db import events
from bentoml.yatai.db.aliases import Alias, AliasMove

ALIAS = "alias"


class Aliases:
    """Use cases about `Name@alias`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str, alias: str) -> Alias:
        """Raises `NotFound`."""
        validate_service_name(name)
        validate_alias(alias)
        return _required(
            self._database.read(lambda connection: alias_db.find(connection, name, alias)), name, alias
        )

    def find_all(self, name: str | None = None) -> list[Alias]:
        """All aliases, or those of one name."""
        return self._database.read(lambda connection: alias_db.find_all(connection, name))

    def history(self, name: str, alias: str) -> list[AliasMove]:
        """Moves of one alias, newest first."""
        return self._database.read(lambda connection: alias_db.history(connection, name, alias))

    def move(
        self, caller: Caller, name: str, alias: str, version: str, expected_version: str | None = None
    ) -> Alias:
        """Point an alias to a version, which must exist.

        Args:
            expected_version: refuse if the alias is elsewhere by now; "" means that it must be new.

        Raises:
            NotFound: there is no such bundle.
            FailedPrecondition: the alias is not at `expected_version`.
        """
        caller.require(WRITE)
        validate_alias(alias)
        tag = Tag(name, LATEST if version.lower() == LATEST else version)

        def work(connection: Connection) -> Alias:
            target = bundle_db.find(connection, name, None if tag.is_latest else tag.version)
            if target is None:
                raise NotFound(f"BentoService `{tag}` is not found")
            before = alias_db.find(connection, name, alias)
            _check_expected(before, expected_version, name, alias)
            return _move(connection, caller, before, name, alias, target.version, "alias.move")

        return self._database.write(work)

    def roll_back(self, caller: Caller, name: str, alias: str) -> Alias:
        """Point an alias to where it was before its last move.

        Raises:
            NotFound: there is no such alias.
            FailedPrecondition: it has no earlier version, or that one is deleted.
        """
        caller.require(WRITE)

        def work(connection: Connection) -> Alias:
            before = _required(alias_db.find(connection, name, alias), name, alias)
            earlier = _earlier_version(alias_db.history(connection, name, alias), before.version)
            if earlier is None:
                raise FailedPrecondition(f"'{name}@{alias}' has not been at another version before.")
            if bundle_db.find(connection, name, earlier) is None:
                raise FailedPrecondition(
                    f"'{name}@{alias}' was at {name}:{earlier} before, which is deleted. Restore it first."
                )
            return _move(connection, caller, before, name, alias, earlier, "alias.rollback")

        return self._database.write(work)

    def remove(self, caller: Caller, name: str, alias: str) -> None:
        """Raises `NotFound`."""
        caller.require(WRITE)

        def work(connection: Connection) -> None:
            before = _required(alias_db.find(connection, name, alias), name, alias)
            alias_db.move(connection, caller, name, alias, None)
            details = {"from": before.version}
            events.record(connection, caller, "alias.remove", ALIAS, f"{name}@{alias}", details)

        self._database.write(work)


def validate_alias(alias: str) -> str:
    """Return the name of an alias unchanged, or raise `InvalidArgument`."""
    validate_label_key(alias)
    if alias.lower() == LATEST:
        raise InvalidArgument('"latest" always names the newest version and cannot be an alias.')
    return alias


def _check_expected(before: Alias | None, expected: str | None, name: str, alias: str) -> None:
    if expected is None:
        return
    now = before.version if before else ""
    if now != expected:
        raise FailedPrecondition(
            f"'{name}@{alias}' is at '{now or 'no version'}', not at '{expected or 'no version'}'; "
            "somebody moved it meanwhile. Nothing was changed."
        )


def _earlier_version(moves: list[AliasMove], current: str) -> str | None:
    """Where the alias was before it came to `current` for the first time in a row of rollbacks.

    Going back twice leads two steps back, not forth and back again: the moves are a path on which a
    rollback removes the last step.
    """
    path: list[str] = []
    for move in reversed(moves):
        if move.to_version is None:
            path = []
        elif len(path) >= 2 and move.to_version == path[-2]:
            path.pop()
        else:
            path.append(move.to_version)
    return path[-2] if len(path) >= 2 and path[-1] == current else None


def _move(
    connection: Connection,
    caller: Caller,
    before: Alias | None,
    name: str,
    alias: str,
    version: str,
    action: str,
) -> Alias:
    if before is not None and before.version == version:
        return before
    alias_db.move(connection, caller, name, alias, version)
    details = {"from": before.version if before else None, "to": version}
    events.record(connection, caller, action, ALIAS, f"{name}@{alias}", details)
    return _required(alias_db.find(connection, name, alias), name, alias)


def _required(found: Alias | None, name: str, alias: str) -> Alias:
    if found is None:
        raise NotFound(f"There is no alias '{name}@{alias}'.")
    return found
