"""The record of a bundle as `bentoml get`, `bentoml info`, `/metadata` and Yatai show it.

The shape is that of 0.13's protobuf message turned into JSON: camelCase by default, the field names
with underscores on request, empty fields left out. What users put in themselves (artifact metadata,
adapter configuration) keeps its keys.
"""

from __future__ import annotations

import base64
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from .descriptor import ApiDescriptor, BundleDescriptor, read_descriptor
from .yaml_text import dump_yaml

_USER_DATA = frozenset({"metadata", "input_config", "output_config", "labels"})


def metadata_dict(bundle: BundleDescriptor | str | Path, camel: bool = True) -> dict[str, Any]:
    """The record of a bundle, from its descriptor or its directory; executes nothing.

    Args:
        bundle: what `read_descriptor` returned, or the bundle's path.
        camel: `createdAt` (as `bentoml get`) or `created_at` (as `bentoml info`).
    """
    descriptor = bundle if isinstance(bundle, BundleDescriptor) else read_descriptor(bundle)
    record = {
        "name": descriptor.name,
        "version": descriptor.version,
        "created_at": _timestamp(descriptor.created_at),
        "env": _env(descriptor.env),
        "artifacts": [
            {"name": a.name, "artifact_type": a.artifact_type, "metadata": plain_values(a.metadata)}
            for a in descriptor.artifacts
        ],
        "apis": [_api(api) for api in descriptor.apis],
    }
    return {_key(k, camel): _convert(v, camel) for k, v in record.items() if v not in ("", [], {})}


def _api(api: ApiDescriptor) -> dict[str, Any]:
    return {
        "name": api.name,
        "input_type": api.input_type,
        "docs": api.docs,
        "input_config": plain_values(api.input_config),
        "output_config": plain_values(api.output_config),
        "output_type": api.output_type,
        "mb_max_latency": api.mb_max_latency,
        "mb_max_batch_size": api.mb_max_batch_size,
        "batch": api.batch,
        "route": api.route,
    }


def _env(env: dict[str, Any]) -> dict[str, Any]:
    script = env.get("setup_sh")
    conda = env.get("conda_env")
    return {
        "setup_sh": script.decode("utf-8", "replace") if isinstance(script, bytes) else script or "",
        "conda_env": dump_yaml(conda) if isinstance(conda, dict) else conda or "",
        "python_version": str(env.get("python_version") or ""),
        "docker_base_image": str(env.get("docker_base_image") or ""),
        "pip_packages": [str(package) for package in env.get("pip_packages") or ()],
        "requirements_txt": str(env.get("requirements_txt") or ""),
    }


def _convert(value: Any, camel: bool) -> Any:
    if isinstance(value, list):
        return [_convert(item, camel) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _key(key, camel): inner if key in _USER_DATA else _convert(inner, camel)
        for key, inner in value.items()
        if inner not in ("", [], {}, False) or key == "metadata"
    }


def _key(name: str, camel: bool) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest) if camel else name


def _timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as protobuf prints it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain_values(value: Any) -> Any:
    """The value in JSON's types: keys as text, tuples as lists, dates and bytes as text."""
    if isinstance(value, dict):
        return {str(key): plain_values(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain_values(inner) for inner in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    item = getattr(value, "item", None)  # numpy scalars
    return plain_values(item()) if callable(item) and getattr(value, "ndim", 1) == 0 else str(value)
