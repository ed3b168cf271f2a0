"""File operations that survive a crash: what returned is on disk, what failed did not happen.

Every failed `fsync` is an error of the operation: after it, nobody can say what the disk holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from bentoml.exceptions import BentoMLException, BundleCorrupted
from bentoml.file_copy import copy_content

_CHUNK_BYTES = 1 << 20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RANGE_WRITE = 2


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of the file system into this library's, with the file and the reason."""
    try:
        yield
    except OSError as err:
        where = f": '{err.filename}'" if err.filename else ""
        raise BentoMLException(f"{what} failed: {err.strerror or err}{where}. Nothing was changed.") from err


def sync_file(path: Path) -> None:
    """Force the content of one file to disk."""
    _sync(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def sync_directory(path: Path) -> None:
    """Force the entries of one directory to disk (a no-op where directories cannot be opened)."""
    if os.name != "nt":
        _sync(path, os.O_RDONLY)


def sync_tree(root: Path, *, directories_only: bool = False) -> None:
    """Force every file below `root`, then every directory from the bottom up.

    Args:
        directories_only: the files are on disk already; their names are not.
    """
    for directory, _, files in os.walk(root, topdown=False, onerror=_raise):
        for name in () if directories_only else files:
            sync_file(Path(directory, name))
        sync_directory(Path(directory))


def tree_size_bytes(root: Path) -> int:
    """Bytes of all files below `root`."""
    return sum(
        (Path(directory) / name).stat(follow_symlinks=False).st_size
        for directory, _, files in os.walk(root, onerror=_raise)
        for name in files
    )


def write_file(path: Path, content: bytes) -> None:
    """Create `path` with `content`, on disk when this returns."""
    with open(path, "xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Create `path` and its parents; the entries are on disk when this returns."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def move(source: Path, target: Path) -> None:
    """Rename within one file system; both parents are on disk when this returns."""
    os.rename(source, target)
    sync_directory(target.parent)
    if source.parent != target.parent:
        sync_directory(source.parent)


def exchange(one: Path, other: Path) -> bool:
    """Let two directories change places in one step; False where the system cannot do that."""
    rename = _c_function("renameat2")
    if rename is None or rename(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE)
    ):
        return False
    sync_directory(one.parent)
    sync_directory(other.parent)
    return True


def begin_write_back(descriptor: int) -> None:
    """Let the disk begin with what was written so far, so that the `fsync` at the end waits less."""
    sync_file_range = _c_function("sync_file_range")
    if sync_file_range is not None:
        sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_RANGE_WRITE))


def use_page_cache(descriptor: int) -> None:
    """Take O_DIRECT from an open file."""
    import fcntl  # noqa: PLC0415 - exists on POSIX only, as O_DIRECT does

    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_DIRECT)


def link_tree(source: Path, target: Path) -> bool:
    """Hard links to a bundle's files in the empty directory `target`; copies where links do not work.

    Returns:
        Whether all are links, so that what is known of the one holds for the other.
    """
    are_links = True
    for entry in _iter_entries(source):
        place = target / os.path.relpath(entry.path, source)
        if entry.is_dir(follow_symlinks=False):
            place.mkdir()
            continue
        try:
            os.link(entry.path, place, follow_symlinks=False)
        except OSError:
            shutil.copy2(entry.path, place, follow_symlinks=False)
            are_links = False
    return are_links


def remove_tree(path: Path) -> None:
    """Remove a directory or file as far as possible; what is left is for the next clean-up."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def copy_tree(source: Path, target: Path, *, hashed: bool = True) -> dict[str, str]:
    """Copy a bundle's regular files into the empty directory `target`.

    Args:
        hashed: else the files are copied without being read, by the file system or the kernel.

    Returns:
        SHA-256 of what was read, by path relative to `source`; empty if not `hashed`.

    Raises:
        BundleCorrupted: the source holds a link or a special file.
    """
    digests = {}
    for entry in _iter_entries(source):
        relative = os.path.relpath(entry.path, source)
        if entry.is_dir(follow_symlinks=False):
            (target / relative).mkdir()
        else:
            digest = _copy_file(entry, target / relative, hashed)
            if digest is not None:
                digests[relative] = digest
    return digests


def verify_tree(root: Path, digests: dict[str, str]) -> None:
    """Read `root` back and compare with `digests`. Raises `BundleCorrupted` naming the file."""
    for relative, expected in digests.items():
        with open(root / relative, "rb") as stream:
            if _digest(stream) != expected:
                raise BundleCorrupted(
                    f"File '{relative}' reads back differently from what was written to it."
                )


def _iter_entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        mode = entry.stat(follow_symlinks=False).st_mode
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            raise BundleCorrupted(
                f"'{entry.path}' is a link or a special file; a bundle holds only regular files."
            )
        yield entry
        if stat.S_ISDIR(mode):
            yield from _iter_entries(Path(entry.path))


def _copy_file(entry: os.DirEntry[str], target: Path, hashed: bool) -> str | None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    executable = entry.stat(follow_symlinks=False).st_mode & stat.S_IXUSR
    with open(os.open(entry.path, flags), "rb") as reader, open(target, "xb") as writer:
        digest = None
        if hashed:
            digest = _digest(reader, writer)
        else:
            copy_content(reader, writer, entry.name)
    target.chmod(0o755 if executable else 0o644)
    return digest


def _digest(reader: BinaryIO, writer: BinaryIO | None = None) -> str:
    """SHA-256 of the rest of `reader`, copied to `writer` on the way."""
    digest = hashlib.sha256()
    while chunk := reader.read(_CHUNK_BYTES):
        digest.update(chunk)
        if writer is not None:
            writer.write(chunk)
    return digest.hexdigest()


@cache
def _c_function(name: str) -> Any:
    """A function of Linux's C library, or None."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), name, None)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _raise(error: OSError) -> None:
    raise error
