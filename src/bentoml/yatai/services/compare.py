"""What differs between two bundles: APIs, artifacts, dependencies, files, sizes, labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from bentoml.repository.base import BundleRecord

Change = dict[str, Any]
_ENV_TEXTS = ("python_version", "docker_base_image", "setup_sh", "conda_env")


def compare(first: BundleRecord, second: BundleRecord) -> dict[str, Any]:
    """The differences as plain data: for each part what was `added`, `removed` and `changed`.

    A changed entry is `{"name", "before", "after"}`. Parts without a difference are empty.
    """
    env_before, env_after = first.metadata.get("env") or {}, second.metadata.get("env") or {}
    return {
        "first": first.tag,
        "second": second.tag,
        "same_content": bool(first.digest) and first.digest == second.digest,
        "size_bytes": {"before": first.size_bytes, "after": second.size_bytes},
        "apis": _parts(_by_name(first.apis), _by_name(second.apis)),
        "artifacts": _parts(_by_name(first.artifacts), _by_name(second.artifacts)),
        "dependencies": _parts(_requirements(env_before), _requirements(env_after)),
        "environment": _parts(_texts(env_before), _texts(env_after)),
        "labels": _parts(first.labels, second.labels),
        "lineage": _parts(first.lineage, second.lineage),
    }


def compare_files(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, list[Any]]:
    """Differences of two tables of digests by path."""
    return _parts(first, second)


def _parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    named: Callable[[str, Any], Change] = lambda name, value: {"name": name, "value": value}  # noqa: E731
    return {
        "added": [named(name, after[name]) for name in sorted(after.keys() - before.keys())],
        "removed": [named(name, before[name]) for name in sorted(before.keys() - after.keys())],
        "changed": [
            {"name": name, "before": before[name], "after": after[name]}
            for name in sorted(before.keys() & after.keys())
            if before[name] != after[name]
        ],
    }


def _by_name(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        str(entry.get("name")): {key: value for key, value in entry.items() if key != "name"}
        for entry in entries
    }


def _requirements(env: Mapping[str, Any]) -> dict[str, str]:
    """Version specifiers by distribution; lines that are no plain requirement stand for themselves."""
    lines = [*(env.get("pip_packages") or ()), *str(env.get("requirements_txt") or "").splitlines()]
    found: dict[str, str] = {}
    for line in (line.split("#")[0].strip() for line in lines):
        if not line:
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            found[line] = line
        else:
            found[requirement.name.lower()] = str(requirement.specifier) or "any"
    return found


def _texts(env: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(env[key]) for key in _ENV_TEXTS if env.get(key)}
