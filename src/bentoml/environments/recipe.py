"""What an installer is told, and the key under which the result is kept.

Only files decide: requirements or lock or carried wheels, the library's wheel, the interpreter. Two
versions of a service with the same needs therefore share one environment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bentoml.exceptions import FailedPrecondition

from .interpreters import Interpreter
from .source import EnvironmentSource
from .targets import this_platform
from .wheel_store import CarriedWheels

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """Arguments for `pip install`, as pip and uv both understand them.

    Attributes:
        directory: where the installer runs.
        is_hashed: every line of the requirements has a digest.
        content: hex digest over everything that decides what will be installed, but the interpreter.
    """

    directory: Path
    arguments: tuple[str, ...]
    is_hashed: bool
    content: str

    def key(self, interpreter: str) -> str:
        return _digest(self.content, interpreter)[:32]


def recipe_of(source: EnvironmentSource, wheels: Path | None = None) -> Recipe:
    """The bundle's requirements or lock, from an index, or from a directory of wheels alone."""
    arguments = ["--require-hashes"] if source.is_locked else []
    if wheels is not None:
        arguments += ["--no-index", "--find-links", str(wheels)]
    requirements = (source.directory / source.requirements).read_text("utf-8")
    content = _digest(str(_FORMAT), str(source.is_locked), source.library_sha256, requirements)
    arguments += ["-r", source.requirements]
    return Recipe(source.directory, tuple(arguments), source.is_locked, content)


def carried_recipe(source: EnvironmentSource, carried: CarriedWheels, work: Path) -> Recipe:
    """Exactly the wheels that came with the bundle, by digest; nothing is resolved.

    Args:
        work: a directory for the requirements file.
    """
    library = f"bentoml @ {source.wheel.absolute().as_uri()}"
    file = work / "requirements.txt"
    file.write_text(carried.wheels.requirements(library, source.library_sha256), "utf-8")
    arguments = ("--require-hashes", "--no-deps", "--no-index", "--find-links", str(carried.directory))
    return Recipe(source.directory, (*arguments, "-r", str(file)), True, carried_content(source, carried))


def carried_content(source: EnvironmentSource, carried: CarriedWheels) -> str:
    listed = carried.wheels.requirements("bentoml", source.library_sha256)
    return _digest(str(_FORMAT), "carried", listed)


def check_fit(carried: CarriedWheels, interpreter: Interpreter, tag: str) -> None:
    """Raise `FailedPrecondition` where the carried wheels are for another machine."""
    target = carried.wheels.target
    fits = target.platform == this_platform() and target.python == interpreter.minor
    if not fits and not carried.wheels.is_pure:
        raise FailedPrecondition(
            f"The wheels that came with {tag} are for {target}, and this is Python {interpreter.minor} on "
            f"{this_platform()}. Export it again with --platform {this_platform()} --python-version "
            f"{interpreter.minor}, or install from an index with `bentoml env {tag} --from-index`"
        )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
