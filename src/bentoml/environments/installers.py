"""Two tools that make a virtual environment and fill it: uv where it is installed, else venv and pip."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from bentoml.exceptions import BentoMLException, InvalidArgument, MissingDependencyException

from .interpreters import Interpreter
from .pip_settings import uv_environment
from .recipe import Recipe

logger = logging.getLogger("bentoml.environments")

InstallerName = Literal["auto", "uv", "pip"]
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")


class Installer(Protocol):
    """Makes an environment; every line that its tool prints goes to standard error."""

    name: str

    def make(self, interpreter: Interpreter, target: Path) -> None:
        """An empty environment in `target`."""
        ...

    def install(self, recipe: Recipe, target: Path) -> None:
        """What the recipe names."""
        ...


def choose_installer(name: InstallerName = "auto") -> Installer:
    """The tool by name; `auto` is uv if it is there.

    Raises:
        MissingDependencyException: uv is asked for and is not installed.
    """
    uv = find_uv()
    if name == "uv" and uv is None:
        raise MissingDependencyException("uv is not installed. Install it with: pip install uv")
    if name not in ("auto", "uv", "pip"):
        raise InvalidArgument(f"An installer is auto, uv or pip, not {name!r}")
    return UvInstaller(uv) if uv is not None and name != "pip" else PipInstaller()


def find_uv() -> str | None:
    """uv on the PATH, or beside this interpreter."""
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)


class UvInstaller:
    name = "uv"

    def __init__(self, uv: str) -> None:
        self.uv = uv

    def make(self, interpreter: Interpreter, target: Path) -> None:
        _run([self.uv, "venv", "--no-project", "--python", str(interpreter.path), str(target)])

    def install(self, recipe: Recipe, target: Path) -> None:
        command = [self.uv, "pip", "install", "--python", str(python_of(target)), *recipe.arguments]
        variables = uv_environment(clean_environment(), constraints=not recipe.is_hashed)
        _run(command, recipe.directory, variables)


class PipInstaller:
    name = "pip"

    def make(self, interpreter: Interpreter, target: Path) -> None:
        try:
            _run([str(interpreter.path), "-m", "venv", str(target)])
        except BentoMLException as err:
            raise BentoMLException(
                f"{err}. On Debian and Ubuntu: apt-get install python3-venv; or: pip install uv"
            ) from err

    def install(self, recipe: Recipe, target: Path) -> None:
        command = [str(python_of(target)), "-m", "pip", "--disable-pip-version-check", "install"]
        _run([*command, *recipe.arguments], recipe.directory)


def python_of(target: Path) -> Path:
    """The interpreter inside an environment."""
    return target / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_environment() -> dict[str, str]:
    """This process's variables without those that lead to its own packages."""
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN}


def _run(command: Sequence[str], directory: Path | None = None, env: dict[str, str] | None = None) -> None:
    logger.debug("Running %s", " ".join(command))
    done = subprocess.run(command, cwd=directory, env=env or clean_environment(), stdout=2, check=False)
    if done.returncode:
        tool = Path(command[0]).name
        raise BentoMLException(f"`{tool}` ended with exit code {done.returncode}; its output above says why")
