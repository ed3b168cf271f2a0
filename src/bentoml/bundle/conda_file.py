"""The conda files of a bundle, as data: what the user listed, and the complete environment.

`conda env create -f conda-environment.yml` inside a bundle makes an environment that can serve it:
the conda packages, the Python of the bundle, and everything of requirements.txt through pip.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

logger = logging.getLogger("bentoml")

CONDA_BASE_IMAGE = "condaforge/miniforge3:24.3.0-0"
_NAME = re.compile(r"[\s=<>!~\[;@]")


def complete_conda_environment(conda_env: Mapping[str, Any], python_version: str) -> dict[str, Any]:
    """`conda_env` with Python and pip, where they are not named, and the bundle's requirements."""
    dependencies = [entry for entry in conda_env.get("dependencies") or () if not isinstance(entry, dict)]
    named = {package_name(entry) for entry in dependencies}
    if "python" not in named:
        dependencies.append(f"python={'.'.join(python_version.split('.')[:2])}")
    if "pip" not in named:
        dependencies.append("pip")
    pip = [row for entry in conda_env.get("dependencies") or () for row in _pip_rows(entry)]
    return {**conda_env, "dependencies": [*dependencies, {"pip": [*pip, "-r requirements.txt"]}]}


def without_conda_library(conda_env: Mapping[str, Any]) -> dict[str, Any]:
    """Without a request for this library: what channels and indexes have by its name is another one."""
    dependencies: list[Any] = []
    for entry in conda_env.get("dependencies") or ():
        if isinstance(entry, dict):
            kept = [row for row in _pip_rows(entry) if not _is_library(row)]
            dependencies.append({**entry, "pip": kept} if "pip" in entry else entry)
        elif not _is_library(entry):
            dependencies.append(entry)
    return {**conda_env, "dependencies": dependencies}


def lists_conda_packages(conda_env: Mapping[str, Any]) -> bool:
    return any(not isinstance(entry, dict) for entry in conda_env.get("dependencies") or ())


def conda_package_names(conda_env: Mapping[str, Any]) -> set[str]:
    """Canonical names of all that the environment lists, through conda or pip."""
    found: set[str] = set()
    for entry in conda_env.get("dependencies") or ():
        for row in _pip_rows(entry) if isinstance(entry, dict) else (entry,):
            found.add(package_name(row))
    return found - {""}


def package_name(row: Any) -> str:
    """`conda-forge::numpy=1.26` → `numpy`."""
    return canonicalize_name(_NAME.split(str(row).rpartition("::")[2].strip(), maxsplit=1)[0])


def _pip_rows(entry: Any) -> list[Any]:
    rows = entry.get("pip") if isinstance(entry, dict) else None
    return list(rows) if isinstance(rows, list) else []


def _is_library(row: Any) -> bool:
    if package_name(row) != "bentoml":
        return False
    logger.warning(
        "conda dependency '%s' is left out: what channels and indexes call bentoml is another product line. "
        "The bundle carries its own",
        row,
    )
    return True
