"""Which files belong to the interpreter and its installed libraries, and which to the user.

Decided from where this interpreter installs (its own scheme, the user site, the directories that
hold distribution metadata), never from what a directory is called: a project may live in a folder
named `lib`.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def site_directories() -> tuple[str, ...]:
    """Real paths of the directories packages are installed into."""
    found = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    for prefix in {sys.prefix, sys.base_prefix}:
        scheme = {"base": prefix, "platbase": prefix}
        found |= {sysconfig.get_path(kind, vars=scheme) for kind in ("purelib", "platlib")}
    found |= set(getattr(site, "getsitepackages", list)())
    user = getattr(site, "getusersitepackages", None)
    if user is not None:
        found.add(user())
    return tuple(sorted({os.path.realpath(path) for path in found if path}))


@lru_cache(maxsize=1)
def standard_library_directories() -> tuple[str, ...]:
    """Real paths of the standard library; site directories may lie inside them."""
    found = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    return tuple(sorted({os.path.realpath(path) for path in found if path}))


def is_installed_file(file: str | Path | None) -> bool:
    """True for a file below a directory packages are installed into."""
    return file is not None and _is_below(file, site_directories())


def is_standard_library_file(file: str | Path | None) -> bool:
    return (
        file is not None
        and _is_below(file, standard_library_directories())
        and not _is_below(file, site_directories())
    )


def _is_below(file: str | Path, directories: tuple[str, ...]) -> bool:
    path = os.path.realpath(file)
    return any(path.startswith(directory + os.sep) for directory in directories)
