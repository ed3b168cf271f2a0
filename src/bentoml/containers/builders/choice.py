"""Which engine builds."""

from __future__ import annotations

import shutil

from bentoml.exceptions import InvalidArgument, MissingDependencyException

from .base import Builder
from .buildah import BuildahBuilder
from .docker import DockerBuilder
from .podman import PodmanBuilder

_BUILDERS: dict[str, type[Builder]] = {
    "docker": DockerBuilder,
    "podman": PodmanBuilder,
    "buildah": BuildahBuilder,
}
BUILDER_NAMES = tuple(_BUILDERS)


def choose_builder(name: str | None) -> Builder:
    """The engine by name, or the first that is installed.

    Raises:
        MissingDependencyException: it, or any, is not installed.
    """
    if name is not None and name not in _BUILDERS:
        raise InvalidArgument(f"A builder is one of {', '.join(BUILDER_NAMES)}, not {name!r}")
    for candidate in (name,) if name is not None else BUILDER_NAMES:
        if shutil.which(candidate):
            return _BUILDERS[candidate]()
    missing = f"'{name}' is" if name is not None else "Docker, Podman and Buildah are"
    raise MissingDependencyException(f"{missing} not installed. Install one of {', '.join(BUILDER_NAMES)}")
