"""The wheels that travel with a bundle: what they are for, and the digest of each.

The library's own wheel is never among them: it lies in the bundle.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from bentoml.bundle.manifest import FileEntry, file_sha256
from bentoml.exceptions import BundleCorrupted

from .targets import Target

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_LIBRARY = "bentoml"
_MOST_WHEELS = 10_000


@dataclass(frozen=True, slots=True)
class WheelSet:
    """Wheels by file name, for one target."""

    target: Target
    files: dict[str, FileEntry]

    @property
    def size_bytes(self) -> int:
        return sum(entry.size for entry in self.files.values())

    @property
    def is_pure(self) -> bool:
        """Whether they fit every platform and every Python 3."""
        return all(name.endswith("-py3-none-any.whl") for name in self.files)

    def requirements(self, library: str, library_sha256: str) -> str:
        """A requirements file that installs exactly these, with the library from its own wheel."""
        lines = [f"{library} --hash=sha256:{library_sha256}"]
        for name, entry in sorted(self.files.items()):
            project, version, *_ = parse_wheel_filename(name)
            lines.append(f"{project}=={version} --hash=sha256:{entry.sha256}")
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        files = {
            name: {"size": entry.size, "sha256": entry.sha256} for name, entry in sorted(self.files.items())
        }
        return {"platform": self.target.platform, "python": self.target.python, "files": files}

    def verify(self, directory: Path) -> None:
        """Raise `BundleCorrupted` unless `directory` holds exactly these wheels, unchanged."""
        found = {entry.name: entry for entry in os.scandir(directory)}
        if missing := sorted(self.files.keys() - found.keys()):
            raise BundleCorrupted(f"Wheel '{missing[0]}' is missing in '{directory}'")
        if added := sorted(found.keys() - self.files.keys()):
            raise BundleCorrupted(f"'{added[0][:128]}' in '{directory}' is not listed among its wheels")
        for name, expected in self.files.items():
            entry = found[name]
            if not entry.is_file(follow_symlinks=False):
                raise BundleCorrupted(f"Wheel '{name}' in '{directory}' is not a regular file")
            size = entry.stat(follow_symlinks=False).st_size
            if size != expected.size or file_sha256(entry.path) != expected.sha256:
                raise BundleCorrupted(f"Wheel '{name}' was changed: its SHA-256 is not the listed one")


def wheel_set_of(directory: Path, target: Target) -> WheelSet:
    """The wheels that lie in a directory."""
    files = {
        file.name: FileEntry(file.stat().st_size, file_sha256(file))
        for file in sorted(directory.glob("*.whl"))
    }
    return wheel_set_from_dict(WheelSet(target, files).to_dict())


def wheel_set_from_dict(document: Any) -> WheelSet:
    """Read what `to_dict` wrote, of unknown origin.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is something else; the message says what.
    """
    target = Target(_text(document, "platform"), _text(document, "python"))
    files = {}
    if len(document["files"]) > _MOST_WHEELS:
        raise ValueError(f"more than {_MOST_WHEELS} wheels")
    for name, row in document["files"].items():
        _check_name(name)
        size, digest = row["size"], row["sha256"]
        if type(size) is not int or size < 0 or not isinstance(digest, str) or not _SHA256.match(digest):
            raise ValueError(f"wheel '{name}' has no size and SHA-256")
        files[name] = FileEntry(size, digest)
    projects = [parse_wheel_filename(name)[0] for name in files]
    if doubled := [name for name in projects if projects.count(name) > 1]:
        raise ValueError(f"two wheels of '{doubled[0]}'")
    return WheelSet(target, files)


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document[key]
    if not isinstance(value, str) or len(value) > 64 or not value.isprintable():
        raise ValueError(f"'{key}' is no short text")
    return value


def _check_name(name: str) -> None:
    if "/" in name or "\\" in name or not name.isascii() or not name.isprintable() or len(name) > 255:
        raise ValueError("a wheel's name is no file name")
    try:
        project, *_ = parse_wheel_filename(name)
    except InvalidWheelFilename as err:
        raise ValueError(f"'{name[:128]}' is not the name of a wheel") from err
    if project == canonicalize_name(_LIBRARY):
        raise ValueError(f"'{name}' would take the place of the library in the bundle")
