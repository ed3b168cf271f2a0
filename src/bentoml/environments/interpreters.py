"""Which Python an environment gets: the one of the bundle, from this machine or through uv."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bentoml.exceptions import MissingDependencyException

_OLDEST = (3, 10)
_DESCRIBE = (
    "import json, os, platform, sys; "
    "print(json.dumps([os.path.realpath(sys.executable), platform.python_version(), "
    "sys.implementation.name, platform.system(), platform.machine()]))"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python on this machine. `fingerprint` tells what its installed packages depend on."""

    path: Path
    version: str
    fingerprint: str

    @property
    def minor(self) -> str:
        return ".".join(self.version.split(".")[:2])


def find_interpreter(minor: str, wanted: str | None = None, uv: str | None = None) -> Interpreter:
    """The interpreter for a bundle saved with Python `minor` (`X.Y`).

    Args:
        wanted: a path, a command or a version that the user asks for instead.
        uv: path of uv, which finds more interpreters, and fetches one where that is allowed.

    Raises:
        MissingDependencyException: there is none; the message says how to get it.
    """
    if wanted is not None and (found := _command(wanted)) is not None:
        return found
    version = wanted or minor
    if not version or (wanted is None and _too_old(minor)):
        version = _minor_of_this()
    if version == _minor_of_this():
        return describe(Path(sys.executable))
    found = _command(f"python{version}") or (_from_uv(uv, version) if uv else None)
    if found is None:
        raise MissingDependencyException(
            f"Python {version} is needed and not found on this machine. Install it, or install uv, which "
            "fetches it, or name another interpreter with --python"
        )
    return found


def describe(python: Path) -> Interpreter:
    """Ask an interpreter what it is. Raises `MissingDependencyException` if it does not start."""
    done = subprocess.run(
        [str(python), "-I", "-c", _DESCRIBE], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise MissingDependencyException(
            f"'{python}' does not work as a Python: {done.stderr.strip()[-500:]}"
        )
    real, version, *rest = json.loads(done.stdout)
    return Interpreter(python, version, "|".join([real, version, *rest]))


def _command(name: str) -> Interpreter | None:
    path = shutil.which(name)
    if path is None or (os.sep not in name and not name.startswith("python")):
        return None
    return describe(Path(path))


def _from_uv(uv: str, version: str) -> Interpreter | None:
    for arguments in (["find"], ["install"], ["find"]):
        done = subprocess.run(
            [uv, "python", *arguments, version], capture_output=True, text=True, timeout=600, check=False
        )
        if arguments == ["find"] and done.returncode == 0:
            return describe(Path(done.stdout.strip()))
    return None


def _too_old(minor: str) -> bool:
    """A bundle of 0.13 may name a Python that this library does not run on."""
    try:
        return tuple(int(part) for part in minor.split(".")) < _OLDEST
    except ValueError:
        return True


def _minor_of_this() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
