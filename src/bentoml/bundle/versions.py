"""Package versions: which ones a packed object came from, and what differs where it is loaded."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bentoml.exceptions import ArtifactLoadingException

from .dependencies import LIBRARY, distributions_of_import, installed_version, public_version
from .descriptor import BundleDescriptor
from .imports import Import
from .pickled import modules_of_objects

logger = logging.getLogger("bentoml")


@dataclass(frozen=True, slots=True)
class Difference:
    """A package whose version is not the one of saving; `here` is None if it is not installed."""

    name: str
    saved: str
    here: str | None

    def __str__(self) -> str:
        here = f"{self.name} {self.here} is installed here" if self.here else "it is not installed here"
        return f"{self.name} {self.saved} when it was saved, {here}"

    @property
    def is_large(self) -> bool:
        """More than the last part of the version differs."""
        return self.here is None or _release(self.saved)[:2] != _release(self.here)[:2]


def packages_of(value: Any) -> dict[str, str]:
    """Distribution → installed version of everything that unpickling `value` imports."""
    found: dict[str, str] = {}
    tops = {module.partition(".")[0] for module in modules_of_objects([value])}
    for top in sorted(tops - sys.stdlib_module_names - {LIBRARY, "__main__"}):
        for name in distributions_of_import(Import(top)):
            version = installed_version(name)
            if version is not None:
                found[name] = public_version(version)
    return found


def warn_about_versions(descriptor: BundleDescriptor) -> None:
    """Name the artifacts that come from clearly other versions than the installed ones."""
    for artifact in descriptor.artifacts:
        for found in _differences(artifact.packages):
            if found.is_large:
                logger.warning(
                    "Artifact '%s' of %s comes from other versions: %s", artifact.name, descriptor.tag, found
                )


def explained(
    err: ArtifactLoadingException, root: Path, descriptor: BundleDescriptor
) -> ArtifactLoadingException:
    """The same error with the versions that differ, if any do; looks into the pickles to find them."""
    found = [one for one in _differences(_saved_versions(root, descriptor)) if one.here]
    if not found:
        return err
    wanted = " ".join(f"'{one.name}=={one.saved}'" for one in found)
    return ArtifactLoadingException(
        f"{err}. Versions differ: {'; '.join(str(one) for one in found)}. Install the versions of saving "
        f"(pip install {wanted}), or train and save the model again with the installed ones"
    )


def _saved_versions(root: Path, descriptor: BundleDescriptor) -> dict[str, str]:
    """From the pinned requirements, from what pickles say of themselves, and from the artifacts' records."""
    from .inspection import inspect_artifacts, requirements_of  # noqa: PLC0415 - after a failure only
    from .layout import BundleLayout  # noqa: PLC0415

    found: dict[str, str] = {}
    for line in requirements_of(descriptor):
        try:
            requirement = Requirement(line.partition(" #")[0])
        except InvalidRequirement:
            continue
        pins = [one.version for one in requirement.specifier if one.operator in ("==", "===")]
        if len(pins) == 1 and "*" not in pins[0]:
            found[canonicalize_name(requirement.name)] = pins[0]
    artifacts, _ = inspect_artifacts(BundleLayout(root, descriptor.name), descriptor, None)
    for artifact in artifacts:
        found.update({canonicalize_name(name): version for name, version in artifact.versions.items()})
    found.pop(LIBRARY, None)
    return found


def _differences(saved: dict[str, str]) -> list[Difference]:
    found = [Difference(name, version, installed_version(name)) for name, version in sorted(saved.items())]
    return [one for one in found if one.here is None or _release(one.here) != _release(one.saved)]


def _release(version: str) -> tuple[int, ...]:
    try:
        return Version(version).release
    except InvalidVersion:
        return ()
