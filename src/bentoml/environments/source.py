"""What a bundle says about its environment: the files that are installed from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bentoml.bundle.descriptor import BundleDescriptor, read_descriptor
from bentoml.bundle.layout import BUNDLED_DEPENDENCIES, LOCK_FILE, BundleLayout
from bentoml.bundle.own_wheel import build_own_wheel, wheel_name
from bentoml.bundle.packaging import PACKAGE_FILE
from bentoml.bundle.requirements_file import users_requirements, without_library
from bentoml.exceptions import BundleCorrupted, InvalidArgument


@dataclass(frozen=True, slots=True)
class EnvironmentSource:
    """The files that an installer reads.

    Attributes:
        directory: where it runs; the paths in the requirements are relative to it.
        requirements: the file's name there; a lock if `is_locked`.
        wheel: the library's own wheel.
        python_version: `X.Y.Z` of the interpreter that saved the bundle, "" if unknown.
    """

    descriptor: BundleDescriptor
    directory: Path
    requirements: str
    is_locked: bool
    wheel: Path
    python_version: str

    @property
    def python_minor(self) -> str:
        return ".".join(self.python_version.split(".")[:2])

    @property
    def library_sha256(self) -> str:
        return hashlib.sha256(self.wheel.read_bytes()).hexdigest()


@contextmanager
def environment_source(bundle: Path) -> Iterator[EnvironmentSource]:
    """The source in a bundle; for one of 0.13, a directory with this library's wheel put in place of it.

    Raises:
        InvalidArgument: not a saved bundle, but one that pip installed.
        BundleCorrupted: files are missing.
    """
    descriptor = read_descriptor(bundle)
    if BundleLayout(bundle, descriptor.name).is_installed_package:
        raise InvalidArgument(
            f"'{bundle}' is a bundle that pip installed; its environment is the one it lies in. "
            "Give the saved bundle"
        )
    if not (bundle / PACKAGE_FILE).is_file():
        with TemporaryDirectory(prefix="bentoml-environment-") as work:
            yield _for_old_bundle(bundle, descriptor, Path(work))
        return
    wheel = bundle / BUNDLED_DEPENDENCIES / _library_wheel(bundle)
    for file in (wheel, bundle / "requirements.txt"):
        if not file.is_file():
            raise BundleCorrupted(f"The bundle in '{bundle}' lacks '{file.relative_to(bundle)}'")
    locked = (bundle / LOCK_FILE).is_file()
    requirements = LOCK_FILE if locked else "requirements.txt"
    yield EnvironmentSource(descriptor, bundle, requirements, locked, wheel, descriptor.python_version)


def _library_wheel(bundle: Path) -> str:
    try:
        name = str(json.loads((bundle / PACKAGE_FILE).read_text("utf-8"))["library_wheel"])
    except (ValueError, KeyError, TypeError) as err:
        raise BundleCorrupted(f"'{PACKAGE_FILE}' of the bundle in '{bundle}' cannot be read: {err}") from err
    if Path(name).name != name or not name.startswith("bentoml-"):
        raise BundleCorrupted(f"'{PACKAGE_FILE}' of the bundle in '{bundle}' names a strange wheel: {name!r}")
    return name


def _for_old_bundle(bundle: Path, descriptor: BundleDescriptor, work: Path) -> EnvironmentSource:
    """0.13 asked for itself by name; what serves its bundles is this library."""
    data = build_own_wheel()
    wheel = work / BUNDLED_DEPENDENCIES / wheel_name()
    wheel.parent.mkdir()
    wheel.write_bytes(data)
    file = bundle / "requirements.txt"
    text = without_library(file.read_text("utf-8")) if file.is_file() else ""
    library = f"./{BUNDLED_DEPENDENCIES}/{wheel.name}"
    (work / "requirements.txt").write_text(
        users_requirements(library, text, hashlib.sha256(data).hexdigest()), "utf-8", newline=""
    )
    return EnvironmentSource(descriptor, work, "requirements.txt", False, wheel, descriptor.python_version)
