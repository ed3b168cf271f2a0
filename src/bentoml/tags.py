"""Names, versions, tags and labels: one grammar, used at every entry of the library.

A name that does not fit is refused, never repaired, because it becomes a directory name, a Python
module name, an object key and a part of an image tag. The grammar is the intersection of what the
0.13 line accepted and what is safe as a path component on every system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .exceptions import InvalidArgument

LATEST = "latest"
MAX_LINEAGE_ENTRIES = 32
MAX_LINEAGE_CHARS = 1024
_SHOWN_CHARS = 128  # of the caller's own text in a message

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z", re.ASCII)
_VERSION_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z", re.ASCII)
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_VERSION_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-(?P<pre>{_IDENTIFIERS}))?\+{_IDENTIFIERS}\Z", re.ASCII
)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z", re.ASCII)

_NAME_RULE = "it must match [A-Za-z_][A-Za-z0-9_]* and have 1 to 128 characters"
_VERSION_RULE = (
    'it must start with a letter or digit, consist of letters, digits, "-", "." and "_" '
    '(or be a semantic version such as 1.0.0+build), contain no ".." and have 1 to 128 characters'
)
_LATEST_RULE = '"latest" always names the newest version and cannot be the version of a bundle'
_LABEL_RULE = (
    'it must have 1 to 63 characters: letters, digits, "-", "_" and ".", a letter or digit at both ends'
)


def validate_service_name(name: str) -> str:
    """Return `name` unchanged, or raise `InvalidArgument`."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise _invalid("BentoService name", name, _NAME_RULE)
    return name


def validate_version(version: str) -> str:
    """Return `version` unchanged, or raise `InvalidArgument`; `latest` in any case is refused."""
    if isinstance(version, str) and version.lower() == LATEST:
        raise _invalid("BentoService version", version, _LATEST_RULE)
    if not isinstance(version, str):
        raise _invalid("BentoService version", version, f"it is a text, so not {type(version).__name__}")
    if not _is_version(version):
        raise _invalid("BentoService version", version, _VERSION_RULE)
    return version


def validate_label_key(key: str) -> str:
    """Return `key` unchanged, or raise `InvalidArgument`."""
    if not isinstance(key, str) or not _LABEL.match(key):
        raise _invalid("label key", key, _LABEL_RULE)
    return key


def validate_label_value(value: str, key: str) -> str:
    """Return `value` unchanged, or raise `InvalidArgument` naming its key."""
    if not isinstance(value, str) or not _LABEL.match(value):
        raise _invalid(f'value of label "{key}"', value, _LABEL_RULE)
    return value


def validate_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Return a checked copy of `labels` (`{}` for `None`), or raise `InvalidArgument`."""
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise _invalid("labels", labels, "a dictionary of text to text is needed")
    return {validate_label_key(key): validate_label_value(value, key) for key, value in labels.items()}


def validate_lineage(lineage: Mapping[str, str] | None) -> dict[str, str]:
    """Return a checked copy of what says where a bundle comes from, or raise `InvalidArgument`."""
    if lineage is None:
        return {}
    if not isinstance(lineage, Mapping) or len(lineage) > MAX_LINEAGE_ENTRIES:
        raise _invalid("lineage", lineage, f"a dictionary of at most {MAX_LINEAGE_ENTRIES} texts is needed")
    for key, value in lineage.items():
        validate_label_key(key)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_LINEAGE_CHARS or not value.isprintable():
            rule = f"it must be printable text of 1 to {MAX_LINEAGE_CHARS} characters"
            raise _invalid(f'value of lineage "{key}"', value, rule)
    return dict(lineage)


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """`name:version` of one bundle; version `latest` stands for the newest one."""

    name: str
    version: str

    def __post_init__(self) -> None:
        validate_service_name(self.name)
        if self.version != LATEST:
            validate_version(self.version)

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Read `Name:Version`; `latest` is accepted in any case. Raises `InvalidArgument`."""
        name, colon, version = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not colon:
            raise _invalid("BentoService tag", text, 'it must have the form "name:version"')
        return cls(name, LATEST if version.lower() == LATEST else version)

    @property
    def is_latest(self) -> bool:
        return self.version == LATEST

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


def split_reference(bento: str) -> tuple[str, str]:
    """Name and version of `Name:Version`, or name and `@alias` of `Name@alias`. Raises `InvalidArgument`."""
    if ":" not in bento and "@" in bento:
        name, _, alias = bento.partition("@")
        return validate_service_name(name), f"@{alias}"
    if ":" not in bento:
        raise InvalidArgument(
            "BentoService name or version is missing. Please provide in the format of name:version"
        )
    tag = Tag.parse(bento)
    return tag.name, tag.version


def _is_version(version: str) -> bool:
    if len(version) > 128 or ".." in version:
        return False
    if _VERSION_PLAIN.match(version):
        return True
    semver = _VERSION_SEMVER.match(version)
    return semver is not None and not _has_leading_zero(semver.group("pre") or "")


def _has_leading_zero(pre_release: str) -> bool:
    parts = pre_release.split(".")
    return any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in parts)


def _invalid(what: str, value: object, rule: str) -> InvalidArgument:
    """The one message form of every refused name: what, the value as given, the rule."""
    shown = value if isinstance(value, str) else repr(value)
    shown = shown.encode("unicode_escape").decode("ascii")
    if len(shown) > _SHOWN_CHARS:
        shown = shown[:_SHOWN_CHARS] + "…"
    return InvalidArgument(f'Invalid {what}: "{shown}", {rule}')
