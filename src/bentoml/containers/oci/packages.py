"""The packages of a bundle, installed for an image's Python into a directory of this machine.

Only wheels are taken: nothing of a package runs here, and the same wheels give the same files.
uv chooses for any platform and Python. pip chooses for the ones it runs on, so without uv the image
has to be for this machine and this Python.
"""

from __future__ import annotations

import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from bentoml.containers.build import run_command
from bentoml.environments.installers import (
    clean_environment,
    find_uv,
    python_of,
)
from bentoml.environments.pip_settings import uv_environment
from bentoml.environments.recipe import recipe_of
from bentoml.environments.source import EnvironmentSource
from bentoml.exceptions import InvalidArgument, MissingDependencyException

from .image_python import Target

_UV_GLIBC = (17, 28, *range(31, 41))
_ONLY_WHEELS = ("--only-binary", ":all:")


def install_packages(
    source: EnvironmentSource,
    target: Target,
    directory: Path,
    wheels: Path | None = None,
    options: Sequence[str] = (),
    output: Callable[[str], None] = lambda line: None,
) -> tuple[Path, set[str]]:
    """Make a virtual environment in `directory` and fill it.

    Args:
        wheels: directory of wheels to install from, without any index.
        options: further ones for the tool, such as `--index-url`.

    Returns:
        The environment, and the files in it that are its own and no package's.

    Raises:
        ImageBuildFailed: the tool found no wheels, or they contradict each other.
        InvalidArgument: something is bundled that is no wheel.
        MissingDependencyException: uv is needed.
    """
    bundled = _bundled_wheels(source)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(directory)
    before = {file.relative_to(directory).as_posix() for file in directory.rglob("*")}
    command, variables = _tool(target, python_of(directory), locked=source.is_locked)
    command += [*_ONLY_WHEELS, *options]
    for what in (list(recipe_of(source, wheels).arguments), _again(bundled, wheels)):
        if what:
            run_command([*command, *what], variables, output, source.directory)
    return directory, before


def _tool(target: Target, python: Path, *, locked: bool) -> tuple[list[str], dict[str, str]]:
    uv = find_uv()
    if uv is not None:
        command = [uv, "pip", "install", "--python", str(python), "--link-mode", "copy"]
        command += ["--python-platform", _uv_platform(target), "--python-version", target.minor]
        return command, uv_environment(clean_environment(), constraints=not locked)
    if not target.platform.is_this_machine or target.minor != _minor_of_this() or sys.platform != "linux":
        raise MissingDependencyException(
            f"Choosing wheels for {target.platform} and Python {target.minor} on another platform or Python "
            "needs uv. Install it with: pip install uv"
        )
    command = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    return [*command, "install", "--no-compile"], clean_environment()


def _uv_platform(target: Target) -> str:
    machine = target.platform.machine
    if target.glibc is None:
        return f"{machine}-unknown-linux-musl"
    if machine == "riscv64":
        return "riscv64-unknown-linux"
    fitting = [minor for minor in _UV_GLIBC if (2, minor) <= target.glibc]
    if not fitting:
        major, minor = target.glibc
        raise InvalidArgument(f"The base image has glibc {major}.{minor}; wheels need 2.17 or newer")
    return f"{machine}-manylinux_2_{fitting[-1]}"


def _bundled_wheels(source: EnvironmentSource) -> list[Path]:
    others = sorted(file for file in source.wheel.parent.iterdir() if file != source.wheel)
    for file in others:
        if file.suffix != ".whl":
            raise InvalidArgument(
                f"{source.descriptor.tag} bundles '{file.name}', which is no wheel and would have to be "
                "built; use --builder docker, podman or buildah"
            )
    return others


def _again(bundled: Sequence[Path], wheels: Path | None) -> list[str]:
    """What is bundled replaces what the requirements brought, as in the Dockerfile."""
    if not bundled:
        return []
    local = ["--no-index", "--find-links", str(wheels)] if wheels is not None else []
    return ["--upgrade", *local, *(str(file) for file in bundled)]


def _minor_of_this() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
