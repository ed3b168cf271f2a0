"""RPCs about how many bundles stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bentoml.tags import Tag
from bentoml.yatai.access import Caller
from bentoml.yatai.registry import Registry

Fields = dict[str, Any]


class RetentionCalls:
    """Handlers by RPC."""

    def __init__(self, registry: Registry) -> None:
        self._retention = registry.retention

    def prune_bentos(self, caller: Caller, request: Fields) -> Fields:
        gone = self._retention.prune(
            caller,
            keep_last=request["keep_last"],
            name=request["name"] or None,
            labels=request["labels_query"],
            dry_run=request["dry_run"],
        )
        return {"bentos": _references(gone)}

    def set_retention(self, caller: Caller, request: Fields) -> Fields:
        rule, doomed = self._retention.set_rule(
            caller, request["name"], request["keep_last"], dry_run=request["dry_run"]
        )
        return {"rule": asdict(rule), "bentos": _references(doomed)}

    def remove_retention(self, caller: Caller, request: Fields) -> Fields:
        self._retention.remove_rule(caller, request["name"])
        return {}

    def list_retention(self, caller: Caller, _request: Fields) -> Fields:
        outlook = self._retention.outlook(caller)
        return {"rules": [asdict(rule) for rule in outlook.rules], "bentos": _references(outlook.doomed)}

    def apply_retention(self, caller: Caller, request: Fields) -> Fields:
        return {"bentos": _references(self._retention.apply(caller, dry_run=request["dry_run"]))}


def _references(tags: Sequence[Tag]) -> list[Fields]:
    return [{"name": tag.name, "version": tag.version} for tag in tags]
