"""Keeps the files of the bundle that is being served, also when the bundle is deleted meanwhile.

A worker that is replaced loads the bundle again, so the files must outlive `bentoml delete`. They
are linked, not copied, into a directory of this server; where links are impossible (another file
system), the bundle is served in place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from bentoml.settings import home

DIRECTORY = "serving"


@contextlib.contextmanager
def held(bundle: Path) -> Generator[Path, None, None]:
    """A directory with the bundle's files that nobody else removes; `bundle` itself if that fails."""
    parent = home() / DIRECTORY
    copy: Path | None = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(parent)
        copy = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
        shutil.copytree(bundle, copy / bundle.name, copy_function=os.link, symlinks=True)
    except (OSError, shutil.Error):
        if copy is not None:
            shutil.rmtree(copy, ignore_errors=True)
        yield bundle
        return
    try:
        yield copy / bundle.name
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """Directories of servers that were killed."""
    for entry in parent.iterdir():
        pid = entry.name.partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(entry, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
