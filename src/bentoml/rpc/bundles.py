"""Bundle records as the protocol's `Bento` message, and back; label queries as `LabelSelectors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.repository.base import URI_TYPES, BundleRecord
from bentoml.repository.selector import Requirement, Selector
from bentoml.tags import validate_label_key, validate_label_value

from . import convert

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_API_FIELDS = (
    "name",
    "input_type",
    "docs",
    "input_config",
    "output_config",
    "output_type",
    "mb_max_latency",
    "mb_max_batch_size",
    "batch",
    "route",
)
_ENV_FIELDS = (
    "setup_sh",
    "conda_env",
    "pip_dependencies",
    "python_version",
    "docker_base_image",
    "pip_packages",
    "requirements_txt",
)
_STATUSES = {"UNINITIALIZED": 0, "UPLOADING": 1, "DONE": 2, "ERROR": 3, "TIMEOUT": 4}


def bento_message(record: BundleRecord, signed_url: str = "") -> dict[str, Any]:
    """The `Bento` of a record.

    Args:
        signed_url: where a client without credentials may fetch the archive.
    """
    uri: dict[str, Any] = {"type": URI_TYPES.index(record.uri_type), "uri": record.uri}
    if signed_url:
        uri[f"{record.uri_type.lower()}_presigned_url"] = signed_url
    return {
        "name": record.name,
        "version": record.version,
        "uri": uri,
        "bento_service_metadata": _metadata(record),
        "status": {"status": _STATUSES.get(record.status, 0), "updated_at": record.added_at},
        "details": {
            "size_bytes": record.size_bytes,
            "digest": record.digest,
            "note": record.note,
            "lineage": record.lineage,
            "aliases": record.aliases,
            "created_by": record.created_by,
            "added_at": record.added_at,
            "deleted_at": record.deleted_at,
            "id": record.row_id,
            "revision": record.revision,
        },
    }


def bento_bytes(record: BundleRecord) -> bytes:
    """The encoded `Bento` of a record."""
    return convert.write("Bento", bento_message(record))


def record_of(bento: Mapping[str, Any]) -> BundleRecord:
    """The record of a `Bento`; one of a 0.13 server has no details."""
    metadata = bento["bento_service_metadata"] or {}
    uri = bento["uri"] or {"type": 0, "uri": ""}
    status = (bento["status"] or {"status": 0})["status"]
    plain = _plain_metadata(metadata)
    record = BundleRecord(
        name=bento["name"],
        version=bento["version"],
        uri=uri["uri"],
        uri_type=URI_TYPES[uri["type"]] if uri["type"] < len(URI_TYPES) else "UNSET",
        created_at=metadata.get("created_at"),
        labels=dict(metadata.get("labels") or {}),
        apis=tuple(plain.get("apis", ())),
        artifacts=tuple(plain.get("artifacts", ())),
        metadata=plain,
        status=next((name for name, number in _STATUSES.items() if number == status), "UNINITIALIZED"),
    )
    details = bento["details"]
    if details is None:
        return record
    return replace(
        record,
        row_id=details["id"],
        revision=details["revision"],
        size_bytes=details["size_bytes"] or None,
        digest=details["digest"],
        note=details["note"],
        lineage=details["lineage"],
        created_by=details["created_by"],
        added_at=details["added_at"],
        deleted_at=details["deleted_at"],
        aliases=tuple(details["aliases"]),
    )


def signed_url_of(bento: Mapping[str, Any]) -> str:
    """Where the archive can be fetched without credentials, or ""."""
    uri = bento["uri"] or {}
    return str(uri.get("s3_presigned_url") or uri.get("gcs_presigned_url") or "")


def metadata_message(metadata: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """The `BentoServiceMetadata` of a bundle's metadata in snake_case."""
    env = metadata.get("env") or {}
    return {
        "name": metadata.get("name"),
        "version": metadata.get("version"),
        "created_at": metadata.get("created_at"),
        "env": {key: env.get(key) for key in _ENV_FIELDS},
        "artifacts": [
            {
                "name": one.get("name"),
                "artifact_type": one.get("artifact_type"),
                "metadata": one.get("metadata"),
            }
            for one in metadata.get("artifacts") or ()
        ],
        "apis": [{key: api.get(key) or None for key in _API_FIELDS} for api in metadata.get("apis") or ()],
        "labels": dict(labels),
    }


def selector_message(selector: Selector) -> dict[str, Any]:
    """A parsed label query as `LabelSelectors`."""
    return {
        "match_expressions": [
            {
                "operator": _OPERATORS.index(requirement.operator),
                "key": requirement.key,
                "values": sorted(requirement.values),
            }
            for requirement in selector.requirements
        ]
    }


def selector_of(message: Mapping[str, Any] | None) -> Selector:
    """The label query of `LabelSelectors`. Raises `InvalidArgument`."""
    if message is None:
        return Selector()
    equal = [
        Requirement(validate_label_key(key), "In", frozenset([validate_label_value(value, key)]))
        for key, value in message["match_labels"].items()
    ]
    return Selector((*equal, *(_requirement(one) for one in message["match_expressions"])))


def _requirement(expression: Mapping[str, Any]) -> Requirement:
    number, key = expression["operator"], validate_label_key(expression["key"])
    if not 0 <= number < len(_OPERATORS):
        raise InvalidArgument(f"Label expression for '{key}' has the unknown operator {number}.")
    operator = _OPERATORS[number]
    values = frozenset(validate_label_value(value, key) for value in expression["values"])
    if operator in ("In", "NotIn") and not values:
        raise InvalidArgument(f"Label expression for '{key}' has no values; {operator} needs one.")
    return Requirement(key, operator, values)


def _metadata(record: BundleRecord) -> dict[str, Any]:
    message = metadata_message({**record.metadata, "apis": record.apis}, record.labels)
    return {**message, "created_at": record.created_at}


def _plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata as this library keeps it: empty fields left out, times as text."""
    env = {key: value for key, value in (metadata.get("env") or {}).items() if value not in ("", [])}
    created_at = metadata.get("created_at")
    plain = {
        "name": metadata.get("name"),
        "version": metadata.get("version"),
        "created_at": _timestamp(created_at) if created_at else None,
        "env": env,
        "artifacts": [{**one, "metadata": one["metadata"] or {}} for one in metadata.get("artifacts") or ()],
        "apis": [
            {key: value for key, value in api.items() if value not in ("", None, False)}
            for api in metadata.get("apis") or ()
        ],
    }
    return {key: value for key, value in plain.items() if value not in (None, "", [], {})}


def _timestamp(moment: datetime) -> str:
    return moment.replace(tzinfo=timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
