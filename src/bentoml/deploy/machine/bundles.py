"""A deployment's own copy of its bundle, so that it outlives the bundle's deletion in the registry."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from bentoml.deploy.base import Wanted

from .directory import DeploymentDirectory


def copy_bundle(wanted: Wanted, directory: DeploymentDirectory) -> Path:
    """The bundle's files, linked where that is possible; there as a whole or not at all."""
    target = directory.bundles / wanted.tag.replace(":", "@", 1)
    if target.is_dir():
        return target
    partial = directory.bundles / f".partial-{os.getpid()}-{time.monotonic_ns()}"
    try:
        with wanted.files() as source:
            shutil.copytree(source, partial, copy_function=_link, symlinks=True)
        os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def remove_other_bundles(directory: DeploymentDirectory, kept: set[str]) -> None:
    """Remove copies of bundles that have none of these tags."""
    for path in directory.bundles.iterdir():
        if path.name.replace("@", ":", 1) not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
