"""An exported archive becomes a bundle of the local repository: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from bentoml.bundle.archive import ArchiveLimits, unpack_archive
from bentoml.bundle.layout import EXPORTED_WHEELS
from bentoml.bundle.remote import is_remote, open_remote
from bentoml.bundle.trust.policy import require_signature
from bentoml.environments.wheel_set import WheelSet
from bentoml.environments.wheel_store import WheelStore
from bentoml.exceptions import AlreadyExists, NotFound
from bentoml.observability.progress import WatchedReader, progress_bar
from bentoml.repository.durable import explained
from bentoml.repository.local import LocalRepository
from bentoml.repository.open import open_repository
from bentoml.tags import Tag

from .package import Package, open_package, peek_list
from .signature import require_trusted_wheels


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle that was added. `path` is its directory in the repository."""

    path: Path
    tag: Tag
    wheels: WheelSet | None


def import_bundle(
    source: str | os.PathLike[str],
    *,
    labels: Mapping[str, str] | None = None,
    with_labels: bool = True,
    limits: ArchiveLimits | None = None,
) -> Imported:
    """Verify an archive and add the bundle in it to the local repository; executes nothing of it.

    The archive is one that `export_bundle` wrote, or holds a bundle alone, as `save_to_dir` puts it on
    S3. Its wheels are kept in the home, where `bentoml env` and `serve --env isolated` find them.

    Args:
        source: a file, or an `https://`, `s3://` or `gs://` address.
        labels: for the bundle, besides those in the archive.
        with_labels: give it the labels that are in the archive.
        limits: most entries and bytes that are unpacked.

    Raises:
        NotFound: there is no such file.
        AlreadyExists: the repository has the name and version.
        BundleCorrupted: the archive is not safe, or something in it differs from its digest.
        UntrustedBundle: the settings ask for signatures that it does not have.
        BentoMLException: the disk is full, or the address does not answer. Nothing is left of it.
    """
    repository = open_repository()
    shown = os.fspath(source)
    with explained(f"Importing '{shown}'"):
        if not is_remote(shown):
            _refuse_existing(repository, Path(source))
        with repository.workspace() as space:
            with _opened(shown) as stream:
                directory = unpack_archive(stream, space, limits)
            package = open_package(directory)
            require_signature(package.bundle)
            require_trusted_wheels(package)
            known = package.contents.labels if package.contents is not None and with_labels else {}
            path = _add(repository, package, {**known, **(labels or {})})
    return Imported(path, package.tag, package.wheels)


def _refuse_existing(repository: LocalRepository, file: Path) -> None:
    """Raise `AlreadyExists` before anything is unpacked, where the archive begins with its list."""
    if not file.is_file():
        raise NotFound(f"There is no file '{file}' to import")
    contents = peek_list(file)
    if contents is not None:
        _refuse_tag(repository, contents.tag)


def _refuse_tag(repository: LocalRepository, tag: Tag) -> None:
    with contextlib.suppress(NotFound):
        repository.get(tag.name, tag.version)
        raise AlreadyExists(
            f"BentoService bundle {tag} already exists in the repository. Delete it first with "
            f"`bentoml delete {tag}` if the imported one shall take its place"
        )


@contextlib.contextmanager
def _opened(source: str) -> Iterator[IO[bytes]]:
    """The archive's bytes, with a bar for what takes long."""
    if is_remote(source):
        with open_remote(source) as stream, progress_bar("Importing", 0) as advance:
            yield cast("IO[bytes]", WatchedReader(stream, advance))
        return
    size = Path(source).stat().st_size
    with open(source, "rb") as stream, progress_bar(f"Importing {Path(source).name}", size) as advance:
        yield cast("IO[bytes]", WatchedReader(stream, advance))


def _add(repository: LocalRepository, package: Package, labels: Mapping[str, str]) -> Path:
    """Wheels first, so that who sees the bundle can serve it; they go again if the bundle is not added."""
    _refuse_tag(repository, package.tag)
    store, contents = WheelStore(), package.contents
    if contents is None or contents.wheels is None:
        return repository.adopt(package.bundle, labels)
    digest = contents.digest
    had_wheels = store.get(digest) is not None
    store.put(digest, package.directory / EXPORTED_WHEELS, contents.wheels)
    try:
        return repository.adopt(package.bundle, labels)
    except BaseException:
        if not had_wheels and not _is_there(repository, package.tag, digest):
            store.remove(digest)
            store.remove_leftovers()
        raise


def _is_there(repository: LocalRepository, tag: Tag, digest: str) -> bool:
    """Whether somebody else imported the same at the same time."""
    try:
        return repository.get(tag.name, tag.version).digest == digest
    except NotFound:
        return False
