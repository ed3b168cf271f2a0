"""References of images: what a user may give, and the one that follows from a bundle."""

from __future__ import annotations

import re

from bentoml.exceptions import InvalidArgument

_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?\Z",
    re.ASCII,
)


def image_reference(tag: str | None, name: str, version: str) -> str:
    """`name:tag` for a bundle.

    Without `tag` it is the bundle's own name in lower case with its version; a tag without `:` gets
    the version.

    Raises:
        InvalidArgument: the tag is no image reference.
    """
    if tag is None:
        return f"{_lower_name(name)}:{_valid_tag(version)}"
    found = _REFERENCE.match(tag)
    if found is None or len(found["name"]) > 255:
        raise InvalidArgument(
            f"Provided Docker Image tag {tag[:128]!r} is invalid. A name is lower-case letters, digits and "
            "separators, such as team/iris, iris:v1 or registry.example.com:5000/iris:v1"
        )
    return tag if found["tag"] else f"{tag}:{_valid_tag(version)}"


def _lower_name(name: str) -> str:
    return re.sub(r"_{3,}", "__", name.lower()).strip("_") or "bento"


def _valid_tag(version: str) -> str:
    """A tag has no `+`, and at most 128 characters, as a version has."""
    return version.replace("+", "-")
