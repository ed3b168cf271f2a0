"""What a service needs around it, as data: packages, conda, base image, set-up script.

Nothing is read or resolved here. Files are read, versions pinned and texts written when a bundle is
saved (`bentoml.bundle.environment`), so that a declaration means the same on every machine.
"""

from __future__ import annotations

import copy
import os
import platform
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bentoml.exceptions import BentoMLException, InvalidArgument

if TYPE_CHECKING:
    from .base import BentoService

CONDA_ENV_NAME = "bentoml-default-conda-env"

_DISTRIBUTION = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


class BentoServiceEnv:
    """The environment of one service instance.

    Args:
        pip_dependencies: deprecated name of `pip_packages`.
        pip_packages: requirement strings; one without a version is pinned to the installed version
            when the bundle is saved.
        pip_index_url, pip_trusted_host, pip_extra_index_url: pip options written into requirements.txt.
        auto_pip_dependencies: deprecated name of `infer_pip_packages`.
        infer_pip_packages: at save time, add the packages the service's modules import.
        requirements_txt_file: copied as it is; every other pip setting is then ignored.
        conda_channels, conda_dependencies, conda_env_yml_file: parts of environment.yml.
        conda_override_channels, conda_overwrite_channels: use only `conda_channels`.
        setup_sh: path of a script, or the script's text; run first when an image is built.
        docker_base_image: image for `FROM`.
        zipimport_archives: zip files, relative to the service's module, that go into the bundle.

    Attributes:
        pip_packages: what the user asked for, in order, one entry per distribution.
        library_packages: what adapters and artifacts need; they only fill gaps.

    Raises:
        InvalidArgument: a value has the wrong type.
        BentoMLException: channels are to be overridden, and there are none.
    """

    def __init__(
        self,
        pip_dependencies: Sequence[str] | None = None,
        pip_packages: Sequence[str] | None = None,
        pip_index_url: str | None = None,
        pip_trusted_host: str | None = None,
        pip_extra_index_url: str | None = None,
        auto_pip_dependencies: bool | None = None,
        infer_pip_packages: bool = False,
        requirements_txt_file: str | os.PathLike[str] | None = None,
        conda_channels: Sequence[str] | None = None,
        conda_overwrite_channels: bool = False,
        conda_override_channels: bool = False,
        conda_dependencies: Sequence[str] | None = None,
        conda_env_yml_file: str | os.PathLike[str] | None = None,
        setup_sh: str | bytes | None = None,
        docker_base_image: str | None = None,
        zipimport_archives: Sequence[str] | None = None,
    ) -> None:
        self.pip_packages: list[str] = []
        self.library_packages: list[str] = []
        self._filling_gaps = False
        self.pip_index_url = pip_index_url
        self.pip_trusted_host = pip_trusted_host
        self.pip_extra_index_url = pip_extra_index_url
        self.infer = bool(infer_pip_packages or _renamed("auto_pip_dependencies", auto_pip_dependencies))
        self.requirements_txt_file = _path(requirements_txt_file)
        self.conda_channels = _strings("conda_channels", conda_channels)
        self.conda_override_channels = conda_override_channels or conda_overwrite_channels
        self.conda_dependencies = _strings("conda_dependencies", conda_dependencies)
        self.conda_env_yml_file = _path(conda_env_yml_file)
        self.setup_sh: str | bytes | None = setup_sh
        self.docker_base_image = docker_base_image
        self.zipimport_archives = _strings("zipimport_archives", zipimport_archives)
        self.python_version = platform.python_version()
        self.add_pip_packages(_renamed("pip_dependencies", pip_dependencies) or ())
        self.add_pip_packages(_strings("pip_packages", pip_packages))
        if self.conda_override_channels and not self.conda_channels:
            raise BentoMLException(
                "conda_override_channels=True leaves no channel to install from; list them in conda_channels="
            )

    @property
    def _infer_pip_packages(self) -> bool:
        """0.13's name of `infer`, read by artifacts written for it."""
        return self.infer

    def copy(self) -> BentoServiceEnv:
        """An environment of its own: adding to it changes no other service instance."""
        return copy.deepcopy(self)

    def add_pip_package(self, pip_package: str) -> None:
        """Ask for a package. A later request for the same distribution replaces the earlier one."""
        if self._filling_gaps:
            _put(self.library_packages, pip_package, replace=False)
        else:
            _put(self.pip_packages, pip_package)

    def add_pip_packages(self, pip_packages: Iterable[str]) -> None:
        for package in _strings("pip_packages", pip_packages):
            self.add_pip_package(package)

    @contextmanager
    def filling_gaps(self) -> Iterator[None]:
        """Inside, `add_pip_package` is an adapter or artifact speaking: the user's own spec wins."""
        self._filling_gaps = True
        try:
            yield
        finally:
            self._filling_gaps = False

    def add_conda_dependencies(self, conda_dependencies: Iterable[str]) -> None:
        added = _strings("conda_dependencies", conda_dependencies)
        self.conda_dependencies = [
            *(d for d in added if d not in self.conda_dependencies),
            *self.conda_dependencies,
        ]

    def set_setup_sh(self, setup_sh_path_or_content: str | bytes) -> None:
        """Use this script: the path of an existing file, or the text itself."""
        self.setup_sh = setup_sh_path_or_content

    def setup_script(self) -> bytes | None:
        """The bytes of the set-up script, read from its file when `setup_sh` names one."""
        script = self.setup_sh
        if script is None or isinstance(script, bytes):
            return script
        if "\n" not in script and os.path.isfile(script):
            with open(script, "rb") as file:
                return file.read()
        return script.encode("utf-8")

    def requested_packages(self) -> list[str]:
        """Every package to install, unpinned: the user's first, then the gaps adapters and artifacts fill."""
        packages = list(self.pip_packages)
        for package in self.library_packages:
            _put(packages, package, replace=False)
        return packages

    def infer_pip_packages(self, bento_service: BentoService) -> None:
        """Add the packages that the modules of `bento_service` import."""
        from .saving import infer_packages  # noqa: PLC0415 - saving knows the way to the bundle area

        with self.filling_gaps():
            self.add_pip_packages(infer_packages(bento_service))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write requirements.txt, environment.yml and the other environment files into `path`."""
        from .saving import write_environment  # noqa: PLC0415 - saving knows the way to the bundle area

        write_environment(self, path)

    def to_dict(self) -> dict[str, Any]:
        """The record kept in bentoml.yml, with the packages as asked for."""
        record: dict[str, Any] = {}
        script = self.setup_script()
        if script is not None:
            record["setup_sh"] = script
        if self.requirements_txt_file is None:
            record["pip_packages"] = self.requested_packages()
        record["conda_env"] = self.conda_env()
        record["python_version"] = self.python_version
        if self.docker_base_image is not None:
            record["docker_base_image"] = self.docker_base_image
        return record

    def conda_env(self) -> dict[str, Any]:
        """The content of environment.yml, as far as it follows from the declaration alone."""
        content: dict[str, Any] = {"name": CONDA_ENV_NAME}
        channels = [*self.conda_channels, *(["nodefaults"] if self.conda_override_channels else [])]
        if channels:
            content["channels"] = channels
        content["dependencies"] = list(self.conda_dependencies)
        return content


def distribution_name(requirement: str) -> str:
    """The normalised distribution name a requirement string starts with; the text itself for a URL."""
    found = _DISTRIBUTION.match(requirement)
    if not found or "://" in requirement.partition("@")[0]:
        return requirement.strip()
    return re.sub(r"[-_.]+", "-", found.group(1)).lower()


def _put(packages: list[str], requirement: str, *, replace: bool = True) -> None:
    if not isinstance(requirement, str) or not requirement.strip():
        raise InvalidArgument(
            f"A pip package is a requirement string such as 'scikit-learn>=1.0', not {requirement!r}"
        )
    if "\n" in requirement or "\r" in requirement:
        raise InvalidArgument(f"A pip package is one line of text, not {requirement!r}")
    name = distribution_name(requirement)
    for position, present in enumerate(packages):
        if distribution_name(present) == name:
            if replace:
                packages[position] = requirement.strip()
            return
    packages.append(requirement.strip())


def _strings(parameter: str, values: Iterable[str] | None) -> list[str]:
    if values is None:
        return []
    if isinstance(values, (str, bytes)):
        raise InvalidArgument(f"{parameter} is a list of texts; write {parameter}=[{values!r}]")
    found = list(values)
    wrong = [v for v in found if not isinstance(v, str)]
    if wrong:
        raise InvalidArgument(f"{parameter} is a list of texts; it contains {wrong[0]!r}")
    return found


def _path(value: str | os.PathLike[str] | None) -> str | None:
    return None if value is None else os.fspath(value)


_NEW_NAMES = {"pip_dependencies": "pip_packages", "auto_pip_dependencies": "infer_pip_packages"}


def _renamed(old: str, value: Any) -> Any:
    if value is not None:
        warnings.warn(
            f"@bentoml.env({old}=...) is deprecated and will be removed in 1.0; use {_NEW_NAMES[old]}=",
            DeprecationWarning,
            stacklevel=4,
        )
    return value
