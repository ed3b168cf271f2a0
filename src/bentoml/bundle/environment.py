"""From `@env` to the files that rebuild an environment: requirements, conda, Python version, script.

`resolve_environment` computes everything as data; the writers only put texts into files. The first
line of requirements.txt installs the library from the wheel inside the bundle, never from an index.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bentoml import __version__
from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.settings.paths import nothing_is_set

from .conda_file import (
    CONDA_BASE_IMAGE,
    complete_conda_environment,
    lists_conda_packages,
    without_conda_library,
)
from .dependencies import (
    LIBRARY,
    infer_requirements,
    merge_requirements,
    refuse_control_characters,
)
from .layout import BUNDLED_DEPENDENCIES
from .requirements_file import (
    asks_for_library,
    included_files,
    needs_hashes,
    own_requirements,
    users_requirements,
    without_own_wheel,
)
from .yaml_text import dump_yaml, parse_yaml

if TYPE_CHECKING:
    from bentoml.service import BentoService
    from bentoml.service.env import BentoServiceEnv

logger = logging.getLogger("bentoml")

_INDEX = re.compile(r"[A-Za-z0-9./~][A-Za-z0-9\-._~:/?#\[\]@!$&()*+,;=%{}]*\Z", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9.:\-\]]*\Z", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResolvedEnvironment:
    """Everything a bundle writes about its environment.

    `pip_packages` starts with `bentoml==<version>`, as 0.13's record did; `requirements_text` installs
    that line from the bundle instead. `requirements_verbatim` is a file of the user as it was written.
    """

    pip_packages: list[str]
    requirements_text: str
    requirements_verbatim: str | None
    conda_env: dict[str, Any]
    python_version: str
    docker_base_image: str
    setup_script: bytes | None = None
    options: list[str] = field(default_factory=list)

    @property
    def requirements(self) -> list[str]:
        """The requirements without the library itself; empty when a file was copied as it is."""
        return [] if self.requirements_verbatim is not None else self.pip_packages[1:]

    def to_record(self) -> dict[str, Any]:
        """The `env:` of bentoml.yml."""
        record: dict[str, Any] = {}
        if self.setup_script is not None:
            record["setup_sh"] = self.setup_script
        if self.requirements_verbatim is not None:
            record["requirements_txt"] = self.requirements_verbatim
        else:
            record["pip_packages"] = self.pip_packages
        record["conda_env"] = self.conda_env
        record["python_version"] = self.python_version
        record["docker_base_image"] = self.docker_base_image
        return record


def resolve_environment(env: BentoServiceEnv, inferred: Sequence[str] = ()) -> ResolvedEnvironment:
    """Read the files `env` names, pin its packages, check every field that reaches a build file.

    Args:
        env: the service's environment.
        inferred: further requirements, for distributions nobody asked for explicitly.

    Raises:
        BentoMLException: a file that `env` names does not exist.
        InvalidArgument: a field cannot stand in a requirements file or Dockerfile.
    """
    options = _pip_options(env)
    verbatim = _read_requirements(env)
    packages = [f"{LIBRARY}=={__version__}"]
    if verbatim is None:
        packages += merge_requirements(env.pip_packages, [*env.library_packages, *inferred])
        text = own_requirements(library_requirement(), options, packages[1:])
    else:
        text = users_requirements(library_requirement(), verbatim, _library_sha256(verbatim))
    conda_env = _conda_env(env)
    return ResolvedEnvironment(
        pip_packages=packages,
        requirements_text=text,
        requirements_verbatim=verbatim,
        conda_env=conda_env,
        python_version=env.python_version,
        docker_base_image=check_image(env.docker_base_image or default_base_image(conda_env)),
        setup_script=env.setup_script(),
        options=options,
    )


def library_requirement() -> str:
    """The requirement line that installs the bundled wheel, relative to the bundle's root."""
    from .own_wheel import wheel_name  # noqa: PLC0415 - own_wheel reads distribution metadata

    return f"./{BUNDLED_DEPENDENCIES}/{wheel_name()}"


def _library_sha256(text: str) -> str | None:
    """The digest of the library's wheel, if the text makes pip ask for digests."""
    if not needs_hashes(text):
        return None
    from .own_wheel import build_own_wheel  # noqa: PLC0415 - rarely needed

    return hashlib.sha256(build_own_wheel()).hexdigest()


def default_base_image(conda_env: Mapping[str, Any] | None = None) -> str:
    """The image of the settings, else one with conda if the service lists conda packages, else Python's.

    Python's is `python:X.Y-slim` of the interpreter that saves, which exists for every usual platform.
    """
    configured = _configured_base_image()
    if configured:
        return configured
    if lists_conda_packages(conda_env or {}):
        return CONDA_BASE_IMAGE
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def _configured_base_image() -> str | None:
    if nothing_is_set():
        return None
    from bentoml.settings import load_settings  # noqa: PLC0415 - loads pydantic

    return load_settings().bundle.default_docker_base_image


def check_image(image: str) -> str:
    """An image reference that cannot be anything else in a Dockerfile. Raises `InvalidArgument`."""
    refuse_control_characters("docker_base_image", image, 512)
    if not _IMAGE.match(image):
        raise InvalidArgument(
            f"docker_base_image {image[:128]!r} is not an image reference such as 'python:3.11-slim' or "
            "'registry.example.com:5000/team/image@sha256:...'"
        )
    return image


def _pip_options(env: BentoServiceEnv) -> list[str]:
    lines = []
    for option, value, grammar in (
        ("index-url", env.pip_index_url, _INDEX),
        ("trusted-host", env.pip_trusted_host, _HOST),
        ("extra-index-url", env.pip_extra_index_url, _INDEX),
    ):
        if value is None:
            continue
        name = f"pip_{option.replace('-', '_')}"
        refuse_control_characters(name, value, 2048)
        if not grammar.match(value):
            wanted = "a host name" if grammar is _HOST else "a URL such as https://pypi.example.com/simple"
            raise InvalidArgument(f"{name} {value[:128]!r} is not {wanted}")
        lines.append(f"--{option}={value}")
    return lines


def _read_requirements(env: BentoServiceEnv) -> str | None:
    if env.requirements_txt_file is None:
        return None
    text = without_own_wheel(_read(env.requirements_txt_file, "requirements_txt_file"))
    if env.pip_packages:
        logger.warning("Ignoring pip_packages=%s: requirements_txt_file is used as it is", env.pip_packages)
    if env.pip_index_url or env.pip_trusted_host or env.pip_extra_index_url:
        logger.warning("Ignoring the pip index options: requirements_txt_file is used as it is")
    if asks_for_library(text):
        logger.warning(
            "'%s' asks for bentoml by name; on the package index that is another product line. "
            "The line is left out: the bundle carries its own bentoml %s",
            env.requirements_txt_file,
            __version__,
        )
    if included := included_files(text):
        logger.warning(
            "'%s' includes '%s', which is not in the bundle; put its lines into the file itself",
            env.requirements_txt_file,
            included[0],
        )
    return text


def _read(path: str, parameter: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8")  # line ends stay as they are
    except FileNotFoundError as err:
        raise BentoMLException(f"{parameter} '{path}' does not exist (looked in '{os.getcwd()}')") from err
    except (OSError, UnicodeDecodeError) as err:
        raise BentoMLException(f"{parameter} '{path}' cannot be read: {err}") from err


def _conda_env(env: BentoServiceEnv) -> dict[str, Any]:
    """The declared channels and dependencies, put before those of the environment file."""
    declared = env.conda_env()
    for kind in ("channels", "dependencies"):
        for value in declared.get(kind, ()):
            refuse_control_characters(f"conda_{kind}", str(value), 512)
    if env.conda_env_yml_file is None:
        return without_conda_library(declared)
    text = _read(env.conda_env_yml_file, "conda_env_yml_file")
    try:
        base = parse_yaml(text) or {}
    except ValueError as err:
        raise BentoMLException(f"conda_env_yml_file '{env.conda_env_yml_file}' is not YAML: {err}") from err
    if not isinstance(base, dict):
        raise BentoMLException(f"conda_env_yml_file '{env.conda_env_yml_file}' holds no mapping")
    base.setdefault("name", declared["name"])
    if env.conda_override_channels or declared.get("channels"):
        rest = [] if env.conda_override_channels else base.get("channels") or []
        base["channels"] = [*declared["channels"], *(c for c in rest if c not in declared["channels"])]
    rest = [entry for entry in base.get("dependencies") or [] if entry not in declared["dependencies"]]
    base["dependencies"] = [*declared["dependencies"], *rest]
    return without_conda_library(base)


def write_environment_files(resolved: ResolvedEnvironment, path: Path) -> None:
    """requirements.txt, the conda files, python_version and, if there is a script, setup.sh.

    environment.yml is the conda part alone, as 0.13 wrote it; conda-environment.yml is everything.
    """
    (path / "requirements.txt").write_text(resolved.requirements_text, "utf-8", newline="")
    (path / "environment.yml").write_text(dump_yaml(resolved.conda_env), "utf-8")
    complete = complete_conda_environment(resolved.conda_env, resolved.python_version)
    (path / "conda-environment.yml").write_text(dump_yaml(complete), "utf-8")
    (path / "python_version").write_text(resolved.python_version, "utf-8")
    if resolved.setup_script is not None:
        (path / "setup.sh").write_bytes(resolved.setup_script)
        (path / "setup.sh").chmod(0o755)


def write_environment(env: BentoServiceEnv, path: str | os.PathLike[str]) -> None:
    """The files of `env` alone, as `BentoServiceEnv.save` writes them."""
    write_environment_files(resolve_environment(env), Path(path))


def infer_packages(service: BentoService) -> list[str]:
    """Pinned requirements for what the service's code and packed objects import."""
    from .source import collect_sources  # noqa: PLC0415 - source imports descriptor and load

    return infer_requirements(collect_sources(service).external)


def copy_zip_archives(env: BentoServiceEnv, module_file: Path, target: Path) -> None:
    """Put `zipimport_archives`, relative to the service's module, into `zipimports/`."""
    target.mkdir(exist_ok=True)
    for name in env.zipimport_archives:
        source = (module_file.parent / name).resolve()
        if not source.is_file():
            raise BentoMLException(f"zipimport_archives: '{source}' does not exist")
        shutil.copyfile(source, target / source.name)
