"""Which Python a base image has, and which wheels run on it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Any

from bentoml.exceptions import InvalidArgument

from .platforms import Platform
from .rootfs import RootFiles

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME = re.compile(r"python(3\.\d+)\Z")
_GLIBC = re.compile(rb"GNU C Library [^\n]{0,80} version (\d+)\.(\d+)")
_MUSL = re.compile(r"ld-musl-[a-z0-9_]+\.so\.1\Z")
_OLDEST_GLIBC = (2, 17)


@dataclass(frozen=True, slots=True)
class Target:
    """What packages are chosen for.

    Attributes:
        python: absolute path of the interpreter in the image.
        minor: its `X.Y`.
        glibc: version of the C library, None where it is musl.
    """

    platform: Platform
    python: str
    minor: str
    glibc: tuple[int, int] | None


def find_target(platform: Platform, config: dict[str, Any], root: RootFiles, wanted: str) -> Target:
    """The Python `wanted` (`X.Y`) of an image, or the one that `python3` is.

    Raises:
        InvalidArgument: the image has no Python, or a C library that no wheel is for.
    """
    found = _pythons(search_path(config), root)
    if not found:
        raise InvalidArgument(
            f"The base image has no Python in its PATH, and the oci builder runs nothing that could install "
            f"one. Take one that has it, such as python:{wanted or '3.11'}-slim"
        )
    minor = wanted if wanted in found else next(iter(found))
    return Target(platform, found[minor], minor, _glibc(root))


def search_path(config: dict[str, Any]) -> str:
    """The PATH that an image sets."""
    inner = config.get("config")
    values = inner.get("Env") if isinstance(inner, dict) else None
    for value in reversed(values if isinstance(values, list) else []):
        if isinstance(value, str) and value.startswith("PATH="):
            return value.removeprefix("PATH=")
    return _DEFAULT_PATH


def _pythons(path: str, root: RootFiles) -> dict[str, str]:
    """`X.Y` → path of every interpreter in the PATH; that of `python3` or `python` comes first."""
    found: dict[str, str] = {}
    directories = [directory for directory in path.split(":") if directory.startswith("/")]
    for name in ("python", "python3"):
        for directory in directories:
            real = root.resolve(posixpath.join(directory, name))
            if real and (match := _NAME.match(posixpath.basename(real))):
                found.setdefault(match[1], posixpath.join(directory, name))
    for directory in directories:
        for name in root.names(directory):
            match = _NAME.match(name)
            if match and root.resolve(posixpath.join(directory, name)):
                found.setdefault(match[1], posixpath.join(directory, name))
    return found


def _glibc(root: RootFiles) -> tuple[int, int] | None:
    versions = [_GLIBC.search(data) for data in root.kept("libc.so.6")]
    known = [(int(one[1]), int(one[2])) for one in versions if one]
    if known:
        return max(known)
    if any(_MUSL.match(name) for name in root.names("lib")):
        return None
    return _OLDEST_GLIBC  # a library that does not say; the oldest that wheels are made for
