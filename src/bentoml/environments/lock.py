"""`requirements.lock`: every package of a bundle's environment with its version and digests, by uv.

Made when somebody asks, not by every save: resolving needs the package index, which may be slow or
out of reach, and a bundle is complete without it. The lock holds for all platforms (`--universal`).
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

from bentoml.bundle.layout import BUNDLED_DEPENDENCIES, LOCK_FILE, MANIFEST_FILE, SIGNATURE_FILE
from bentoml.bundle.manifest import FileEntry, Manifest, manifest_text, verify_manifest
from bentoml.bundle.requirements_file import index_options
from bentoml.exceptions import BentoMLException, InvalidArgument, MissingDependencyException

from .installers import find_uv
from .resolver import uv_compile
from .source import EnvironmentSource, environment_source

logger = logging.getLogger("bentoml.environments")

_TIMEOUT_S = 600.0


def resolve_lock(bundle: Path) -> str:
    """The text of the lock for a bundle, which is not changed.

    Raises:
        MissingDependencyException: uv is not installed.
        InvalidArgument: a bundle of 0.13, which has no place for it.
        BentoMLException: the index does not answer, or the requirements contradict each other.
    """
    uv = find_uv()
    if uv is None:
        raise MissingDependencyException("Making a lock needs uv. Install it with: pip install uv")
    with environment_source(bundle.absolute()) as source, tempfile.TemporaryDirectory() as directory:
        if source.directory != bundle.absolute():
            raise InvalidArgument(f"{source.descriptor.tag} was saved by 0.13; save it again to lock it")
        work = Path(directory)
        (work / BUNDLED_DEPENDENCIES).mkdir()
        shutil.copyfile(source.wheel, work / BUNDLED_DEPENDENCIES / source.wheel.name)
        text = (bundle / "requirements.txt").read_text("utf-8")
        (work / "requirements.txt").write_text(text, "utf-8")
        locked = _compile(uv, source, work)
    _check(locked, source)
    return "\n".join([f"# bentoml lock, Python {source.python_minor}", *index_options(text), locked])


def add_lock(bundle: Path, text: str) -> None:
    """Put the lock into the bundle's directory and its manifest. Nothing else is written."""
    manifest = verify_manifest(bundle)
    if manifest is None:
        raise InvalidArgument(f"The bundle in '{bundle}' was saved by 0.13; save it again to lock it")
    data = text.encode("utf-8")
    entry = FileEntry(len(data), hashlib.sha256(data).hexdigest())
    if (bundle / SIGNATURE_FILE).exists():
        logger.warning("The bundle was signed; with the lock its content is another one. Sign it again")
        (bundle / SIGNATURE_FILE).unlink()
    _replace(bundle / LOCK_FILE, data)
    _replace(bundle / MANIFEST_FILE, manifest_text(Manifest({**manifest.files, LOCK_FILE: entry})).encode())


def _replace(file: Path, data: bytes) -> None:
    """Write beside and rename: the old file may be a hard link that others read."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_bytes(data)
    os.replace(fresh, file)


def _compile(uv: str, source: EnvironmentSource, work: Path) -> str:
    options = ["--universal"]
    if source.python_minor:
        options += ["--python-version", source.python_minor]
    done = uv_compile(uv, "requirements.txt", options, LOCK_FILE, directory=work, timeout_s=_TIMEOUT_S)
    if done.returncode:
        raise BentoMLException(f"The requirements cannot be locked:\n{done.stderr.strip()[-4000:]}")
    return (work / LOCK_FILE).read_text("utf-8")


def _check(text: str, source: EnvironmentSource) -> None:
    """The library is locked to the bundle's own wheel."""
    digest = hashlib.sha256(source.wheel.read_bytes()).hexdigest()
    joined = text.replace("\\\n", " ")
    own = f"./{BUNDLED_DEPENDENCIES}/{source.wheel.name} "
    if not any(line.startswith(own) and digest in line for line in joined.splitlines()):
        raise BentoMLException("uv did not lock the bundle's own bentoml wheel; the lock was thrown away")
