"""Files that a command line names: paths, folders and globs, and what is in them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from bentoml.exceptions import InvalidArgument


def expand_paths(names: Iterable[str]) -> list[str]:
    """The files: a folder stands for those below it, a glob for what it matches, each sorted by name.

    Hidden files of a folder are left out. A path that is there is never taken for a glob, and one that
    is not stays, so that reading it says so. Raises `InvalidArgument` when a folder or glob has no file.
    """
    files: list[str] = []
    for name in names:
        found = _below(name) if os.path.isdir(name) else _matches(name)
        if not found:
            raise InvalidArgument(f"No input file at '{name}'; give a file, a folder or a glob with files")
        files += found
    return files


def read_path(name: str) -> bytes:
    """The content of a file. Raises `InvalidArgument`."""
    try:
        return Path(name).read_bytes()
    except OSError as err:
        raise InvalidArgument(f"Cannot read input file '{name}': {err.strerror}") from err


def _matches(name: str) -> list[str]:
    if os.path.exists(name) or not glob.has_magic(name):
        return [name]
    return sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))


def _below(folder: str) -> list[str]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(root, name) for name in names if not name.startswith(".")]
    return sorted(found)
