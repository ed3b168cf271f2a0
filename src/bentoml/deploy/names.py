"""Names of deployments and namespaces: one grammar, because they become directories and container names."""

from __future__ import annotations

import re

from bentoml.exceptions import InvalidArgument

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?\Z", re.ASCII)
MAX_CHARS = 63


def validate_name(name: str) -> str:
    """Return the name of a deployment unchanged, or raise `InvalidArgument`."""
    return _checked("deployment name", name, 4)


def validate_namespace(namespace: str) -> str:
    """Return a namespace unchanged, or raise `InvalidArgument`."""
    return _checked("namespace", namespace, 3)


def _checked(what: str, text: str, least: int) -> str:
    if not least <= len(text) <= MAX_CHARS or not _NAME.match(text) or ".." in text:
        raise InvalidArgument(
            f"{text[:MAX_CHARS]!r} is no {what}: it must have {least} to {MAX_CHARS} letters, digits, "
            "'-', '_' or '.', begin and end with a letter or digit, and contain no '..'."
        )
    return text
