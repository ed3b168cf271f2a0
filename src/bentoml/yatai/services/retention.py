"""Deleting all but the newest bundles: once, or again and again by rules that are kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bentoml.exceptions import InvalidArgument, NotFound
from bentoml.repository.database import Database
from bentoml.repository.models import utc_now
from bentoml.repository.selector import parse_selector
from bentoml.tags import Tag, validate_service_name
from bentoml.yatai.access import ADMIN, READ, Caller
from bentoml.yatai.db import events
from bentoml.yatai.db import retention as retention_db
from bentoml.yatai.db.bundles import BundleQuery
from bentoml.yatai.db.retention import DEFAULT, Rule

from .bundles import Bundles

logger = logging.getLogger("bentoml.yatai")

RETENTION = "retention"
MOST_KEPT = 1_000_000
RULES = Caller("retention rules", frozenset([ADMIN]))
"""Who deletes when the server applies its rules; no token can have this name."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The rules, and what they delete when they are applied next."""

    rules: list[Rule]
    doomed: list[Tag]


class Retention:
    """Use cases about how many bundles stay. What an alias points to or a deployment names always stays."""

    def __init__(self, database: Database, bundles: Bundles) -> None:
        self._database = database
        self._bundles = bundles

    def outlook(self, caller: Caller) -> Outlook:
        """All rules, the default first, and what the next run deletes."""
        caller.require(READ)
        return self._database.read(_outlook)

    def rule_of(self, name: str) -> Rule | None:
        """The rule that decides about a name: its own, or the default."""
        rules = {rule.name: rule for rule in self._database.read(retention_db.find_all)}
        return rules.get(name) or rules.get(DEFAULT)

    def set_rule(
        self, caller: Caller, name: str, keep_last: int | None, *, dry_run: bool = False
    ) -> tuple[Rule, list[Tag]]:
        """Keep the newest bundles of a name; returns what the next run deletes because of this rule.

        Args:
            name: "" is the default, for every name without a rule of its own.
            keep_last: how many stay, beside those in use; None keeps all.
            dry_run: only say what it would delete.

        Raises:
            InvalidArgument: no name of a service, or a number that is too small or too large.
        """
        caller.require(ADMIN)
        if name != DEFAULT:
            validate_service_name(name)
        if keep_last is not None:
            _validate(keep_last)
        rule = Rule(name, keep_last, utc_now(), caller.name)

        def work(connection: Connection) -> list[Tag]:
            if not dry_run:
                retention_db.put(connection, rule)
                details = {"keep_last": "all" if keep_last is None else keep_last}
                events.record(connection, caller, "retention.set", RETENTION, _shown(name), details)
            others = [other for other in retention_db.find_all(connection) if other.name != name]
            return [tag for tag in _doomed(connection, [*others, rule]) if _is_for(tag, name, others)]

        return rule, self._database.read(work) if dry_run else self._database.write(work)

    def remove_rule(self, caller: Caller, name: str) -> None:
        """Forget a rule. Raises `NotFound`."""
        caller.require(ADMIN)

        def work(connection: Connection) -> None:
            if not retention_db.remove(connection, name):
                raise NotFound(f"There is no retention rule for {_shown(name)}.")
            events.record(connection, caller, "retention.remove", RETENTION, _shown(name))

        self._database.write(work)

    def apply(self, caller: Caller, *, dry_run: bool = False) -> list[Tag]:
        """Delete what the rules do not keep; returns what went, or would go."""
        caller.require(ADMIN)
        outlook = self.outlook(caller)
        if dry_run or not outlook.rules:
            return outlook.doomed
        gone = [tag for tag in outlook.doomed if self._delete_if_free(caller, tag)]
        self._database.write(retention_db.applied)
        return gone

    def prune(
        self,
        caller: Caller,
        *,
        keep_last: int,
        name: str | None = None,
        labels: str | None = None,
        dry_run: bool = True,
    ) -> list[Tag]:
        """Delete all but the newest bundles of every name, once, whatever the rules say.

        Returns what went, or would go.

        Args:
            keep_last: how many of each name stay, not counting those in use.
            labels: a label query; other bundles are neither counted nor deleted.
            dry_run: only say which would go.
        """
        caller.require(ADMIN)
        _validate(keep_last)
        query = BundleQuery(name=name, labels=parse_selector(labels))
        doomed = self._database.read(
            lambda connection: retention_db.beyond(connection, query, lambda _name: keep_last)
        )
        return doomed if dry_run else [tag for tag in doomed if self._delete_if_free(caller, tag)]

    def _delete_if_free(self, caller: Caller, tag: Tag) -> bool:
        """False if somebody deleted it meanwhile, gave it an alias or deployed it."""

        def check(connection: Connection) -> None:
            if tag in retention_db.in_use(connection):
                raise InvalidArgument("an alias points to it, or a deployment names it")

        try:
            self._bundles.delete(caller, tag.name, tag.version, also=check)
        except (NotFound, InvalidArgument) as err:
            logger.info("%s stays: %s", tag, err)
            return False
        return True


def _outlook(connection: Connection) -> Outlook:
    rules = retention_db.find_all(connection)
    return Outlook(rules, _doomed(connection, rules) if rules else [])


def _doomed(connection: Connection, rules: Sequence[Rule]) -> list[Tag]:
    return retention_db.beyond(connection, BundleQuery(), _keeping(rules))


def _keeping(rules: Sequence[Rule]) -> Callable[[str], int | None]:
    """How many of a name stay; None is all."""
    by_name = {rule.name: rule.keep_last for rule in rules}
    default = by_name.get(DEFAULT)
    return lambda name: by_name.get(name, default)


def _is_for(tag: Tag, name: str, others: Sequence[Rule]) -> bool:
    """Whether the rule of `name` is the one that decides about a bundle."""
    return tag.name == name or (name == DEFAULT and all(tag.name != other.name for other in others))


def _shown(name: str) -> str:
    return name or "every other name"


def _validate(keep_last: int) -> None:
    if not 1 <= keep_last <= MOST_KEPT:
        raise InvalidArgument(f"keep_last is {keep_last}; at least one bundle of a name stays.")
