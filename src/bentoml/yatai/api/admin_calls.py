"""RPCs about aliases, the audit log, tokens and the caller."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from bentoml import __version__
from bentoml.yatai.access import SCOPES, Caller
from bentoml.yatai.db.aliases import Alias
from bentoml.yatai.registry import Registry

Fields = dict[str, Any]


class AdminCalls:
    """Handlers by RPC."""

    def __init__(self, registry: Registry) -> None:
        self._aliases = registry.aliases
        self._events = registry.events
        self._tokens = registry.tokens

    def health_check(self, _caller: Caller, _request: Fields) -> Fields:
        return {"status": {}}

    def get_yatai_service_version(self, _caller: Caller, _request: Fields) -> Fields:
        return {"status": {}, "version": __version__}

    def who_am_i(self, caller: Caller, _request: Fields) -> Fields:
        return {"name": caller.name, "scopes": [scope for scope in SCOPES if caller.may(scope)]}

    def set_alias(self, caller: Caller, request: Fields) -> Fields:
        expected = request["expected_version"]
        moved = self._aliases.move(caller, request["name"], request["alias"], request["version"], expected)
        return {"alias": _alias(moved)}

    def rollback_alias(self, caller: Caller, request: Fields) -> Fields:
        return {"alias": _alias(self._aliases.roll_back(caller, request["name"], request["alias"]))}

    def delete_alias(self, caller: Caller, request: Fields) -> Fields:
        self._aliases.remove(caller, request["name"], request["alias"])
        return {}

    def list_aliases(self, _caller: Caller, request: Fields) -> Fields:
        return {"aliases": [_alias(alias) for alias in self._aliases.find_all(request["name"] or None)]}

    def get_alias_history(self, _caller: Caller, request: Fields) -> Fields:
        moves = self._aliases.history(request["name"], request["alias"])
        return {"moves": [asdict(move) for move in moves]}

    def list_events(self, caller: Caller, request: Fields) -> Fields:
        found = self._events.find(
            caller,
            resource=request["resource"] or None,
            actor=request["actor"] or None,
            before_id=request["before_id"] or None,
            limit=request["limit"] or 50,
        )
        return {"events": [asdict(event) for event in found]}

    def create_token(self, caller: Caller, request: Fields) -> Fields:
        seconds = request["expires_in_s"]
        expires_in = timedelta(seconds=seconds) if seconds > 0 else None
        token, secret = self._tokens.create(caller, request["name"], request["scopes"], expires_in)
        return {"token": asdict(token), "secret": secret}

    def revoke_token(self, caller: Caller, request: Fields) -> Fields:
        self._tokens.revoke(caller, request["name"])
        return {}

    def list_tokens(self, caller: Caller, _request: Fields) -> Fields:
        return {"tokens": [asdict(token) for token in self._tokens.find_all(caller)]}


def _alias(alias: Alias) -> Fields:
    return asdict(alias)
