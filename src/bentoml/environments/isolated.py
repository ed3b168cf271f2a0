"""Running a command of this library inside a bundle's own environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from .build import MARKER, Environment
from .installers import clean_environment


def run_isolated(environment: Environment, arguments: Sequence[str]) -> NoReturn:
    """Become `bentoml ARGUMENTS` in that environment: the same process id, so signals reach it."""
    command = [str(environment.python), "-m", "bentoml", *arguments]
    variables = clean_environment()
    variables["VIRTUAL_ENV"] = str(environment.path)
    variables["PATH"] = os.pathsep.join([str(environment.python.parent), variables.get("PATH", os.defpath)])
    _hold(environment)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # Windows has no exec: it would return to the shell at once
        raise SystemExit(subprocess.call(command, env=variables))
    os.execve(command[0], command, variables)


def _hold(environment: Environment) -> None:
    """A lock that lives as long as this process, also after it became the command: no pruning now."""
    if os.name == "nt":
        return  # Windows does not remove files that are open
    import fcntl  # noqa: PLC0415 - exists on POSIX only

    descriptor = os.open(environment.path / MARKER, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.set_inheritable(descriptor, True)
