"""Running a command of this library inside a bundle's own environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from .build import Environment
from .installers import clean_environment


def run_isolated(environment: Environment, arguments: Sequence[str]) -> NoReturn:
    """Become `bentoml ARGUMENTS` in that environment: the same process id, so signals reach it."""
    command = [str(environment.python), "-m", "bentoml", *arguments]
    variables = clean_environment()
    variables["VIRTUAL_ENV"] = str(environment.path)
    variables["PATH"] = os.pathsep.join([str(environment.python.parent), variables.get("PATH", os.defpath)])
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # Windows has no exec: it would return to the shell at once
        raise SystemExit(subprocess.call(command, env=variables))
    os.execve(command[0], command, variables)
