"""Copying a user's files into a bundle without following links out of their tree."""

from __future__ import annotations

import os
from pathlib import Path

from bentoml import file_copy
from bentoml.exceptions import BentoMLException


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory's regular files. A link inside the tree is copied as the file it names.

    Raises:
        BentoMLException: a link leaves the tree or names a directory, or something is no file.
    """
    base = source.resolve()
    for directory, folders, names in os.walk(base):
        here = Path(directory)
        for name in folders:
            if (here / name).is_symlink():
                raise BentoMLException(f"'{here / name}' is a link to a directory; put a copy in its place")
        destination = target / here.relative_to(base)
        destination.mkdir(parents=True, exist_ok=True)
        for name in names:
            copy_file(here / name, destination / name, base)


def copy_file(source: Path, target: Path, base: Path) -> None:
    """Copy one file's content. Raises `BentoMLException` for a link that leaves `base`."""
    real = source.resolve()
    if not real.is_relative_to(base.resolve()):
        raise BentoMLException(f"'{source}' is a link out of '{base}'; replace it with the file itself")
    if not real.is_file():
        raise BentoMLException(f"'{source}' is not a regular file, which is all that a bundle can hold")
    file_copy.copy_file(real, target)
