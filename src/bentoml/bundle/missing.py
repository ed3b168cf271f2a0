"""Warns at save time about imports that a fresh environment would not be able to satisfy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from .conda_file import conda_package_names
from .dependencies import covered_distributions, distributions_of_import

if TYPE_CHECKING:
    from .environment import ResolvedEnvironment
    from .source import SourceCollection

logger = logging.getLogger("bentoml")


def warn_about_missing(sources: SourceCollection, environment: ResolvedEnvironment) -> None:
    """Name imports nothing provides here, and imported packages that requirements.txt does not install.

    A requirements file that was copied as it is, and a set-up script, may install anything; then only
    the first kind is reported.
    """
    for module, importer in sorted(set(sources.missing)):
        logger.warning(
            "Module '%s', imported by '%s', was not found and is not in the bundle", module, importer
        )
    if environment.requirements_verbatim is not None or environment.setup_script is not None:
        return
    absent = _not_installed(sources, environment)
    if absent:
        shown = ", ".join(f"'{name}'" for name in absent)
        logger.warning(
            "The service imports packages that its requirements do not install: %s. Add them with "
            "@bentoml.env(pip_packages=[%s]), or let them be found with infer_pip_packages=True",
            shown,
            shown,
        )


def _not_installed(sources: SourceCollection, environment: ResolvedEnvironment) -> list[str]:
    covered = covered_distributions(environment.pip_packages)
    covered |= conda_package_names(environment.conda_env)
    absent: dict[str, str] = {}
    for item in sources.external:
        if item.guarded:
            continue
        for name in distributions_of_import(item):
            key = canonicalize_name(name)
            if key not in covered and key != "bentoml":
                absent[key] = name
    return [absent[key] for key in sorted(absent)]
