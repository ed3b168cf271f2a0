"""Removing environments and carried wheels that nothing needs any more. Both can be had again."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bentoml.bundle.manifest import Manifest, read_manifest
from bentoml.exceptions import BentoMLException, LockUnavailable
from bentoml.repository.local import LocalRepository
from bentoml.repository.locks import FileLock

from .build import MARKER, environments_directory, lock_of
from .recipe import carried_content, recipe_of
from .source import environment_source
from .wheel_store import WheelStore

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed: environments by directory, wheels by the digest of their bundle."""

    environments: list[Path]
    wheels: list[str]
    freed_bytes: int
    in_use: list[Path]


def prune(repository: LocalRepository, *, unused_days: float | None = None) -> Pruned:
    """Remove environments and wheels that no bundle of the repository needs, and unfinished ones.

    An environment in which a service runs stays.

    Args:
        unused_days: also remove environments that nobody has asked for during so many days.
    """
    bundles = _bundles(repository)
    needed = set(_contents(bundles))
    store = WheelStore()
    before = _size(environments_directory()) + store.size_bytes()
    removed: list[Path] = []
    in_use: list[Path] = []
    for path in _environments():
        if not _is_wanted(path, needed, unused_days):
            (removed if _remove(path) else in_use).append(path)
    digests = {manifest.digest for path in bundles if (manifest := _manifest(path)) is not None}
    orphans = [digest for digest in store.digests() if digest not in digests]
    for digest in orphans:
        store.remove(digest)
    store.remove_leftovers()
    freed = before - _size(environments_directory()) - store.size_bytes()
    return Pruned(removed, orphans, max(0, freed), in_use)


def _bundles(repository: LocalRepository) -> list[Path]:
    return [Path(record.uri) for record in repository.list() if Path(record.uri).is_dir()]


def _contents(bundles: list[Path]) -> Iterator[str]:
    """What environments of these bundles would be made from."""
    store = WheelStore()
    for path in bundles:
        try:
            with environment_source(path) as source:
                yield recipe_of(source).content
                carried = store.find(path)
                if carried is not None:
                    yield carried_content(source, carried)
        except BentoMLException:
            continue  # a damaged bundle gets no environment either


def _manifest(path: Path) -> Manifest | None:
    try:
        return read_manifest(path)
    except BentoMLException:
        return None


def _environments() -> list[Path]:
    directory = environments_directory()
    found = sorted(directory.iterdir()) if directory.is_dir() else []
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _is_wanted(path: Path, needed: set[str], unused_days: float | None) -> bool:
    marker = path / MARKER
    try:
        content = json.loads(marker.read_text("utf-8"))["content"]
        last_used = marker.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        return False
    is_old = unused_days is not None and time.time() - last_used > unused_days * _DAY_S
    return content in needed and not is_old


def _remove(path: Path) -> bool:
    """False if a service runs in it or somebody is just making it."""
    try:
        with FileLock(lock_of(path), timeout_s=0.0):
            if _is_held(path / MARKER):
                return False
            (path / MARKER).unlink(missing_ok=True)  # whoever looks now makes it anew
            shutil.rmtree(path, ignore_errors=True)
    except LockUnavailable:
        return False
    return True


def _is_held(marker: Path) -> bool:
    """Whether a process lives that holds the environment, see `isolated`."""
    if os.name == "nt" or not marker.is_file():
        return False
    import fcntl  # noqa: PLC0415 - exists on POSIX only

    with marker.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _size(directory: Path) -> int:
    """Bytes that removing the directory gives back: not what is linked from an installer's cache."""
    files = (Path(folder) / name for folder, _, names in os.walk(directory) for name in names)
    sizes = (file.stat(follow_symlinks=False) for file in files)
    return sum(info.st_size for info in sizes if info.st_nlink == 1)
