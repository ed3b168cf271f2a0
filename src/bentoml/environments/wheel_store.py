"""Wheels that came with imported bundles, in the home.

    <home>/wheels/<digest of the bundle>/wheels.json    what they are for, and their digests
    <home>/wheels/<digest of the bundle>/files/*.whl    hard links to
    <home>/wheels/.content/<SHA-256>                    each wheel once, however many bundles need it

The directory of a bundle appears complete, by a rename. It is found by the bundle's content, so a
copy of the bundle elsewhere on this machine finds its wheels too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from bentoml.bundle.manifest import file_sha256, read_manifest
from bentoml.exceptions import BundleCorrupted
from bentoml.repository import durable
from bentoml.repository.locks import FileLock
from bentoml.settings import home

from .wheel_set import WheelSet, wheel_set_from_dict

_LIST = "wheels.json"
_FILES = "files"
_CONTENT = ".content"
_PART = ".part-"
_LOCK = ".lock"
_LOCK_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class CarriedWheels:
    """Wheels on this machine that belong to one bundle."""

    directory: Path
    wheels: WheelSet


def verified_wheels(bundle: Path) -> Path | None:
    """The directory of the wheels that came with a bundle, all of them checked; None if none came.

    Raises:
        BundleCorrupted: a wheel is not the one that was imported.
    """
    carried = WheelStore().find(bundle)
    if carried is None:
        return None
    carried.wheels.verify(carried.directory)
    return carried.directory


class WheelStore:
    """All wheels of a home."""

    def __init__(self, directory: Path | None = None) -> None:
        self.path = directory if directory is not None else home() / "wheels"

    def find(self, bundle: Path) -> CarriedWheels | None:
        """The wheels of a bundle, not yet verified. Raises `BundleCorrupted` if their list is damaged."""
        manifest = read_manifest(bundle)
        return self.get(manifest.digest) if manifest is not None else None

    def get(self, digest: str) -> CarriedWheels | None:
        file = self.path / digest / _LIST
        if not file.is_file():
            return None
        try:
            wheels = wheel_set_from_dict(json.loads(file.read_text("utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise BundleCorrupted(
                f"'{file}' cannot be read ({err}). Remove '{file.parent}' and import again"
            ) from err
        return CarriedWheels(file.parent / _FILES, wheels)

    def put(self, digest: str, source: Path, wheels: WheelSet) -> None:
        """Keep the verified wheels in `source` for the bundle with that digest; replaces older ones.

        `source` is a directory on the same file system, of which the files are taken.
        """
        content = self.path / _CONTENT
        durable.make_directory(content)
        part = self.path / f"{_PART}{uuid.uuid4().hex}"
        with self._lock():
            try:
                (part / _FILES).mkdir(parents=True)
                for name, entry in wheels.files.items():
                    _take(source / name, content / entry.sha256, part / _FILES / name)
                (part / _LIST).write_text(json.dumps(wheels.to_dict(), indent=1) + "\n", "utf-8")
                durable.sync_tree(part)
                self._replace(part, self.path / digest)
            finally:
                durable.remove_tree(part)

    def digests(self) -> list[str]:
        """The bundles that have wheels here."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(entry.name for entry in self.path.iterdir() if not entry.name.startswith("."))
        return []

    def remove(self, digest: str) -> None:
        durable.remove_tree(self.path / digest)

    def remove_leftovers(self) -> None:
        """What crashes left, and wheels that no bundle uses any more."""
        if not self.path.is_dir():
            return
        with self._lock(), contextlib.suppress(FileNotFoundError):
            for entry in self.path.iterdir():
                if entry.name.startswith(_PART):
                    durable.remove_tree(entry)
            for file in (self.path / _CONTENT).iterdir():
                if file.stat().st_nlink == 1:
                    durable.remove_tree(file)

    def size_bytes(self) -> int:
        """What the wheels take on the disk, each counted once."""
        seen = {}
        for directory, _, files in os.walk(self.path):
            for name in files:
                info = (Path(directory) / name).stat()
                seen[(info.st_dev, info.st_ino)] = info.st_size
        return sum(seen.values())

    def _lock(self) -> FileLock:
        return FileLock(self.path / _LOCK, _LOCK_TIMEOUT_S)

    def _replace(self, part: Path, target: Path) -> None:
        if target.exists() and not durable.exchange(part, target):
            durable.remove_tree(target)
        if part.exists() and not target.exists():
            durable.move(part, target)


def _take(source: Path, kept: Path, place: Path) -> None:
    """The file of `kept` if it is there and sound, else `source`, which becomes it."""
    if not kept.is_file() or file_sha256(kept) != kept.name:
        kept.unlink(missing_ok=True)
        shutil.move(source, kept)  # the home may be on another file system than the repository
    try:
        os.link(kept, place)
    except OSError:  # a file system without hard links
        shutil.copyfile(kept, place)
