"""Paths, globs and URLs: which files are meant, what they hold, and how they are opened."""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

import fsspec

from bentoml.exceptions import InvalidArgument

STDIN = "-"
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_COPY_BYTES = 1 << 20


def is_url(location: str) -> bool:
    return "://" in location


def expand(locations: Iterable[str]) -> tuple[list[str], bool]:
    """The files that `locations` name, and whether a folder or glob was among them.

    A folder stands for every file below it and a glob for what it matches, each sorted by name;
    hidden files are left out. Raises `InvalidArgument` when one of them names nothing.
    """
    files: list[str] = []
    several = False
    for location in locations:
        found, many = _expand_url(location) if is_url(location) else _expand_path(location)
        if not found:
            raise InvalidArgument(
                f"No input file at '{location}'; give a file, a folder or a glob with files"
            )
        files += found
        several = several or many
    return files, several


def _expand_path(location: str) -> tuple[list[str], bool]:
    if location == STDIN or os.path.isfile(location):
        return [location], False
    if os.path.isdir(location):
        return _below(Path(location)), True
    found = [path for path in glob.glob(location, recursive=True) if os.path.isfile(path)]
    return sorted(found), True


def _below(folder: Path) -> list[str]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(root, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _expand_url(location: str) -> tuple[list[str], bool]:
    fs, path = _filesystem(location)
    if fs.isfile(path):
        return [location], False
    paths = fs.find(path) if fs.isdir(path) else fs.glob(path) if glob.has_magic(path) else []
    kept = [p for p in sorted(paths) if not PurePosixPath(p).name.startswith(".") and fs.isfile(p)]
    return [str(fs.unstrip_protocol(p)) for p in kept], True


def _filesystem(url: str) -> tuple[Any, str]:
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as err:
        raise InvalidArgument(f"Cannot open '{url}': {err}") from err
    return fs, path


def suffix_of(location: str) -> str:
    """The lower-case ending that tells what a file holds: `.csv` of `x.csv.gz`."""
    name = location.rpartition("/")[2].partition("?")[0] if is_url(location) else os.path.basename(location)
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix


def open_for_reading(location: str, *, compression: str | None = "infer") -> IO[bytes]:
    """A stream of the decompressed bytes. Raises `InvalidArgument` when it cannot be opened."""
    if location == STDIN:
        return sys.stdin.buffer
    try:
        stream: IO[bytes] = fsspec.open(location, "rb", compression=compression).open()
    except (OSError, ValueError, ImportError) as err:
        reason = getattr(err, "strerror", None) or err
        raise InvalidArgument(f"Cannot read input file '{location}': {reason}") from err
    return stream


def open_seekable(location: str) -> IO[bytes]:
    """As `open_for_reading`; standard input is copied to a temporary file first, gone with the stream."""
    if location != STDIN:
        return open_for_reading(location)
    copy: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever asked for it
    shutil.copyfileobj(sys.stdin.buffer, copy, _COPY_BYTES)
    copy.seek(0)
    return copy


def size_of(location: str) -> int | None:
    """Bytes of a file as it is stored; None where nobody knows, and for compressed files."""
    if location == STDIN or PurePosixPath(location.lower()).suffix in _COMPRESSED:
        return None
    if is_url(location):
        fs, path = _filesystem(location)
        return fs.info(path).get("size")  # type: ignore[no-any-return]
    return os.path.getsize(location)


def identity_of(locations: Sequence[str]) -> list[list[Any]]:
    """Name, size and time or tag of each file, to notice that one was changed."""
    return [_identity(location) for location in locations]


def _identity(location: str) -> list[Any]:
    if location == STDIN:
        return [STDIN]
    if is_url(location):
        fs, path = _filesystem(location)
        info = fs.info(path)
        tags = [info[key] for key in ("ETag", "etag", "LastModified", "mtime", "created") if key in info]
        return [location, info.get("size"), *(str(tag) for tag in tags[:1])]
    status = os.stat(location)
    return [os.path.abspath(location), status.st_size, status.st_mtime_ns]
