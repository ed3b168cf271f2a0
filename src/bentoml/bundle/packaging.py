"""What makes a bundle installable: pyproject.toml, setup.py, MANIFEST.in and the package's `__init__`.

`pip install <bundle>` uses the build backend that lies in the bundle (`build_backend.py`, copied as
it is), which needs neither setuptools nor a network. setup.py stays for older tools.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .layout import ARTIFACTS, CONFIG_FILE, MANIFEST_FILE

BACKEND = "bentoml_bundle_build"
PACKAGE_FILE = "bundle-package.json"


def pep440_version(version: str) -> str:
    """A PEP 440 version for packaging tools; the service's own version stays as it is elsewhere.

    What is in PEP 440's normal form stays (`1.2.3`); `20210926174550_16DCF9` becomes
    `0+20210926174550.16dcf9`.
    """
    try:
        is_normal = str(Version(version)) == version
    except InvalidVersion:
        is_normal = False
    if is_normal:
        return version
    local = ".".join(part for part in re.split(r"[^a-z0-9]+", version.lower()) if part)
    return str(Version(f"0+{local}"))


def distribution_name(service_name: str) -> str:
    """A service name as a distribution name: those begin and end with a letter or digit."""
    return service_name.strip("_") or "bento-service"


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """What the packaging files of a bundle need to know."""

    name: str
    version: str
    python_version: str
    library_wheel: str
    library_sha256: str

    def to_json(self) -> str:
        name = distribution_name(self.name)
        major, minor = self.python_version.split(".")[:2]
        document = {
            "name": self.name,
            "version": self.version,
            "distribution": name,
            "wheel_name": re.sub(r"[-_.]+", "_", name),
            "pep440_version": pep440_version(self.version),
            "requires_python": f">={major}.{minor}",
            "library_wheel": self.library_wheel,
            "library_sha256": self.library_sha256,
        }
        return json.dumps(document, indent=1) + "\n"


def packaging_files(spec: PackageSpec) -> dict[str, str]:
    """Path relative to the bundle → text."""
    backend = Path(__file__).with_name("build_backend.py").read_text("utf-8")
    return {
        "setup.py": setup_py_text(spec),
        "pyproject.toml": pyproject_text(),
        "MANIFEST.in": f"include {spec.name}/{CONFIG_FILE}\ngraft {spec.name}/{ARTIFACTS}\n",
        f"{BACKEND}.py": backend,
        PACKAGE_FILE: spec.to_json(),
        f"{spec.name}/__init__.py": package_init_text(spec),
    }


def pyproject_text() -> str:
    return (
        "# pip builds this bundle with the file named here; nothing is downloaded for it.\n"
        "[build-system]\n"
        "requires = []\n"
        f'build-backend = "{BACKEND}"\n'
        'backend-path = ["."]\n'
    )


def setup_py_text(spec: PackageSpec) -> str:
    """For tools that do not read pyproject.toml; the values are the same."""
    return f'''\
"""Installs this bundle where pyproject.toml is not read. Everybody else: pip install <this folder>."""

import os
import sys

import setuptools

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import {BACKEND} as backend

project = backend.load_project()

with open("README.md", encoding="utf-8") as file:
    readme = file.read()

setuptools.setup(
    name=project["distribution"],
    version=project["pep440_version"],
    description="BentoService {spec.name}:{spec.version}",
    long_description=readme,
    long_description_content_type="text/markdown",
    install_requires=backend.requirements(project),
    packages=setuptools.find_namespace_packages(include=["{spec.name}", "{spec.name}.*"]),
    package_data={{"": ["*"]}},
    include_package_data=True,
    entry_points={{"console_scripts": ["{spec.name}={spec.name}:cli"]}},
)
'''


def package_init_text(spec: PackageSpec) -> str:
    """`import Name; Name.load()`, the class as `Name.Name`, and the function behind the command `Name`."""
    name = spec.name
    return f'''\
"""BentoService {name}:{spec.version} as a package.

    import {name}
    service = {name}.load()
"""

import logging
import os

logging.getLogger("bentoml").setLevel(logging.ERROR)

__VERSION__ = "{spec.version}"
__version__ = __VERSION__
__all__ = ["__version__", "{name}", "load"]

_PATH = os.path.dirname(os.path.abspath(__file__))


def _bundle_path():
    """This folder when installed with pip, else the bundle around it."""
    outer = os.path.dirname(_PATH)
    names = ("{CONFIG_FILE}", "{MANIFEST_FILE}")
    is_bundle = all(os.path.isfile(os.path.join(outer, name)) for name in names)
    return outer if is_bundle else _PATH


def load():
    """An instance of the service, with its artifacts loaded."""
    from bentoml.bundle.load import load_from_dir

    return load_from_dir(_bundle_path())


def cli():
    """The command line of this one service."""
    from bentoml.cli.bundle_cli import create_bundle_cli

    return create_bundle_cli(_bundle_path())()


def __getattr__(name):
    if name == "{name}":
        from bentoml.bundle.load import load_service_class

        return load_service_class(_bundle_path())
    raise AttributeError("module '{name}' has no attribute '" + name + "'")
'''
