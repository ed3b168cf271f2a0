"""Records as the plain data that a page shows and that its `.json` twin answers with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from bentoml.repository.base import BundleRecord
from bentoml.tags import Tag
from bentoml.yatai.db.aliases import Alias, AliasMove
from bentoml.yatai.db.deployments import Deployment
from bentoml.yatai.db.events import Event
from bentoml.yatai.db.retention import Rule
from bentoml.yatai.db.tokens import Token

Plain = dict[str, Any]


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC; times of the database have no zone."""
    return None if value is None else value.replace(tzinfo=timezone.utc).isoformat(timespec="seconds")


def bundle_row(record: BundleRecord) -> Plain:
    """What a list shows of a bundle."""
    return {
        "name": record.name,
        "version": record.version,
        "tag": record.tag,
        "created_at": moment(record.created_at or record.added_at),
        "labels": dict(record.labels),
        "aliases": list(record.aliases),
        "apis": [
            {"name": api.get("name"), "input_type": api.get("input_type"), "batch": bool(api.get("batch"))}
            for api in record.apis
        ],
        "artifacts": [
            {"name": found.get("name"), "artifact_type": found.get("artifact_type")}
            for found in record.artifacts
        ],
        "size_bytes": record.size_bytes,
        "status": record.status,
    }


def bundle_detail(record: BundleRecord) -> Plain:
    """All that the registry knows of a bundle without opening its files."""
    return {
        **bundle_row(record),
        "added_at": moment(record.added_at),
        "created_by": record.created_by,
        "uri": record.uri,
        "digest": record.digest,
        "note": record.note,
        "lineage": dict(record.lineage or {}),
        "apis": [dict(api) for api in record.apis],
        "artifacts": [dict(artifact) for artifact in record.artifacts],
        "env": environment(record.metadata),
    }


def environment(metadata: Mapping[str, Any]) -> Plain:
    """The parts of the environment that are there."""
    env = metadata.get("env") or {}
    return {key: value for key, value in env.items() if value}


def event_row(event: Event) -> Plain:
    return {
        "id": event.id,
        "at": moment(event.happened_at),
        "actor": event.actor,
        "action": event.action,
        "resource_type": event.resource_type,
        "resource": event.resource,
        "details": event.details,
    }


def alias_row(alias: Alias) -> Plain:
    return {
        "alias": alias.alias,
        "version": alias.version,
        "moved_at": moment(alias.moved_at),
        "moved_by": alias.moved_by,
    }


def alias_move_row(move: AliasMove) -> Plain:
    return {
        "alias": move.alias,
        "from_version": move.from_version,
        "to_version": move.to_version,
        "at": moment(move.moved_at),
        "by": move.moved_by,
    }


def rule_row(rule: Rule) -> Plain:
    """`keep_last` is None if all stay; the name "" means every other name."""
    return {
        "name": rule.name,
        "keep_last": rule.keep_last,
        "set_at": moment(rule.set_at),
        "set_by": rule.set_by,
        "applied_at": moment(rule.applied_at),
    }


def tag_row(tag: Tag) -> Plain:
    return {"name": tag.name, "version": tag.version, "tag": str(tag)}


def token_row(token: Token, now: datetime) -> Plain:
    state = "revoked" if token.revoked_at else "in force" if token.is_valid(now) else "expired"
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "state": state,
        "created_at": moment(token.created_at),
        "created_by": token.created_by,
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
    }


def deployment_row(deployment: Deployment) -> Plain:
    return {
        "namespace": deployment.namespace,
        "name": deployment.name,
        "operator": deployment.spec.get("operator"),
        "bento_name": deployment.spec.get("bento_name"),
        "bento_version": deployment.spec.get("bento_version"),
        "state": deployment.state.get("state") or "UNKNOWN",
        "error_message": deployment.state.get("error_message") or "",
        "drift": _sentences((deployment.state.get("info") or {}).get("drift")),
        "labels": dict(deployment.labels),
        "created_at": moment(deployment.created_at),
        "last_updated_at": moment(deployment.last_updated_at),
    }


def deployment_detail(deployment: Deployment) -> Plain:
    return {
        **deployment_row(deployment),
        "config": deployment.spec.get("config") or {},
        "annotations": dict(deployment.annotations),
        "info": deployment.state.get("info") or {},
        "seen_at": deployment.state.get("timestamp"),
    }


def _sentences(drift: Any) -> str:
    """As one text; operators of other packages may store it in another shape."""
    return "; ".join(map(str, drift)) if isinstance(drift, list) else str(drift or "")
