"""The repository in a directory: bundles as folders, an SQLite index, atomic changes.

    <home>/repository/<Name>/<Version>/     bundles
    <home>/repository/.staging/             work in progress (see `staging`)
    <home>/repository/.deleted/<token>/     bundles that a server deleted and can restore
    <home>/storage.db                       the index

`shelf` knows the directories, `index` the rows, `changes` changes both together.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from bentoml.exceptions import BentoMLException, FailedPrecondition, InvalidArgument, NotFound
from bentoml.settings import home as default_home
from bentoml.tags import (
    LATEST,
    Tag,
    split_reference,
    validate_label_key,
    validate_labels,
    validate_lineage,
    validate_service_name,
)

from . import durable
from .base import BROKEN, BundleRecord
from .changes import Changes
from .database import Database, SqliteDatabase
from .durable import explained
from .hints import hint_for_name, latest_hint, tag_hint
from .index import Addition, Index
from .selector import parse_selector
from .shelf import DELETED, Shelf
from .staging import StagingArea

if TYPE_CHECKING:
    from bentoml.service import BentoService

logger = logging.getLogger("bentoml.repository")

_REMOTE = ("s3://", "s3a://", "s3n://", "gs://", "http://", "https://")


_Tags = list[Tag]  # below, `list` is the method of that name


class LocalRepository:
    """Bundles below one directory. Safe to use from several threads and processes at once.

    Args:
        home: `$BENTOML_HOME` or `~/bentoml` if None.
        directory: where the bundles are, `<home>/repository` if None.
        database: the index file, `<home>/storage.db` if None.
        opened: the index's database, instead of a file.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        directory: Path | None = None,
        database: Path | None = None,
        opened: Database | None = None,
    ) -> None:
        self.home = Path(home) if home is not None else default_home()
        self.path = Path(directory) if directory is not None else self.home / "repository"
        self.database = Path(database) if database is not None else self.home / "storage.db"
        self._shelf = Shelf(self.path)
        self._index = Index(opened or SqliteDatabase(self.database, may_create=self._shelf.is_new))
        self._staging = StagingArea(self.path)
        self._changes = Changes(self._shelf, self._index, self._staging)

    def save(
        self,
        service: BentoService,
        version: str | None = None,
        labels: Mapping[str, str] | None = None,
        lineage: Mapping[str, str] | None = None,
    ) -> Path:
        """Write `service` as a bundle and add it.

        Args:
            version: instead of the service's own, see `BentoService.set_version`.
            lineage: where the model comes from: `git_commit`, `parent`, `dataset`, …

        Raises:
            AlreadyExists: the name and version are taken.
            InvalidArgument: a name, version or label is outside the grammar.
        """
        from bentoml.bundle.save import write_bundle  # noqa: PLC0415 - opening a repository needs no writer

        checked = validate_labels(labels)
        if version is not None:
            service.set_version(version)
        tag = Tag(service.name, service.version)
        addition = Addition({}, checked, validate_lineage(lineage))

        def write(target: Path) -> None:
            write_bundle(service, target)

        return self._changes.add(tag, write, addition)

    def add_directory(
        self,
        path: str | Path,
        labels: Mapping[str, str] | None = None,
        lineage: Mapping[str, str] | None = None,
    ) -> Path:
        """Add a copy of the bundle in `path`, under the name and version that it states.

        Raises:
            AlreadyExists: the name and version are taken.
            BundleCorrupted: the bundle differs from its manifest; nothing of it was executed.
            UntrustedBundle: the settings ask for a signature that it does not have.
        """
        from bentoml.bundle.descriptor import read_descriptor  # noqa: PLC0415 - loads the YAML reader
        from bentoml.bundle.layout import MANIFEST_FILE  # noqa: PLC0415
        from bentoml.bundle.trust.policy import require_signature  # noqa: PLC0415

        source = Path(path)
        checked = validate_labels(labels)
        with explained(f"Reading the bundle in '{source}'"):
            descriptor = read_descriptor(source)
            require_signature(source)

        def copy(target: Path) -> None:
            has_manifest = (source / MANIFEST_FILE).is_file()  # adding compares the copy with it
            digests = durable.copy_tree(source, target, hashed=not has_manifest)
            if digests:
                durable.sync_tree(target)
                durable.verify_tree(target, digests)
            require_signature(target)

        addition = Addition({}, checked, validate_lineage(lineage))
        return self._changes.add(Tag(descriptor.name, descriptor.version), copy, addition)

    def add_received(self, tree: Path, digests: Mapping[str, str], tag: Tag, addition: Addition) -> Path:
        """Add the bundle in a directory that nobody else changes; it stays until the caller removes it.

        Args:
            digests: SHA-256 of its files, made of the bytes that were written to them. These are on disk.

        Raises:
            AlreadyExists: the name and version are taken.
            BundleCorrupted: the bundle differs from its manifest.
        """
        from bentoml.bundle.trust.policy import require_signature  # noqa: PLC0415 - loads the YAML reader

        def link(target: Path) -> Mapping[str, str] | None:
            are_links = durable.link_tree(tree, target)
            require_signature(target)
            return digests if are_links else None

        return self._changes.add(tag, link, addition)

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """A private directory on the repository's file system, gone at the end or after a crash."""
        self._changes.open()
        with self._staging.operation() as operation:
            yield operation.path

    def adopt(
        self,
        path: Path,
        labels: Mapping[str, str] | None = None,
        lineage: Mapping[str, str] | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> Path:
        """Add the bundle in `path`, a directory in a `workspace`, by moving it. Raises as `add_directory`.

        Args:
            digests: SHA-256 of its files, made of the bytes that were written to them. These are on disk.
        """
        from bentoml.bundle.descriptor import read_descriptor  # noqa: PLC0415 - loads the YAML reader
        from bentoml.bundle.trust.policy import require_signature  # noqa: PLC0415

        descriptor = read_descriptor(path)
        require_signature(path)

        def move(target: Path) -> Mapping[str, str] | None:
            target.rmdir()
            path.rename(target)
            return digests

        addition = Addition({}, validate_labels(labels), validate_lineage(lineage))
        return self._changes.add(Tag(descriptor.name, descriptor.version), move, addition)

    def get(self, name: str, version: str = LATEST) -> BundleRecord:
        """The record of one bundle.

        Args:
            version: also `latest`, in any case, for the one added last, or `@alias`.

        Raises:
            NotFound: there is no such bundle; the message suggests what may have been meant.
        """
        self._changes.open()
        tag = self._tag(name, version)
        record = self._index.find(tag)
        if record is None:
            raise NotFound(
                f"BentoService {tag} not found - NOT_FOUND:BentoService `{tag}` is not found"
                f"{tag_hint(self._index, tag)}"
            )
        return self.located(record)

    def list(
        self,
        name: str | None = None,
        labels: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        order_by: str = "created_at",
        ascending: bool = False,
    ) -> list[BundleRecord]:
        """Records matching a name and a label query; newest first, all of them if `limit` is None.

        Args:
            order_by: "created_at" (the order of adding) or "name".
        """
        if name is not None:
            validate_service_name(name)
        if offset < 0 or (limit is not None and limit < 0):
            raise InvalidArgument(f"offset {offset} and limit {limit} must not be negative.")
        selector = parse_selector(labels)
        self._changes.open()
        records = self._index.select(
            name, selector, offset=offset, limit=limit, order_by=order_by, ascending=ascending
        )
        return self._shelf.located_all(records)

    def delete(self, name: str, version: str) -> None:
        """Remove one bundle; `latest` is refused, because it may change meanwhile.

        Raises:
            NotFound: there is no such bundle.
        """
        tag = Tag(name, version)
        if tag.is_latest:
            raise InvalidArgument(
                f"Cannot delete '{tag}': name the version, as `bentoml get {tag}` shows it."
            )
        self._changes.open()
        record = self._index.find(tag)
        if record is None:
            raise NotFound(f"BentoService {tag} not found{tag_hint(self._index, tag)}")
        self._changes.remove(tag, None, None)
        if record.uri_type != "LOCAL" or (Path(record.uri).is_dir() and Path(record.uri) != self.target(tag)):
            logger.warning(
                "The files of %s at '%s' are outside this repository and stay there", tag, record.uri
            )

    def rewrite(self, bento: str, change: Callable[[Path], None]) -> Path:
        """Replace a bundle's directory by a changed copy; a crash leaves the old or the new one.

        Args:
            change: gets a directory with hard links to the bundle's files. It may add files and put
                others in the place of old ones; what it leaves has to agree with the manifest.

        Raises:
            NotFound, FailedPrecondition: as `resolve`.
            BundleCorrupted: what `change` left differs from the manifest; nothing was replaced.
        """
        parsed = Tag.parse(bento)
        record = self.get(parsed.name, parsed.version)
        tag = Tag(record.name, record.version)
        return self._changes.rewrite(tag, lambda: self.resolve(str(tag)), change)

    def set_aside(self, tag: Tag, also: Callable[[Connection], None] | None = None) -> None:
        """Remove one bundle so that `restore` can bring it back. Raises `NotFound`.

        Args:
            also: work of the transaction that removes the row.
        """
        self._changes.open()
        self._changes.remove(tag, f"{DELETED}/{uuid.uuid4().hex}", also)

    def restore(self, tag: Tag, also: Callable[[Connection], None] | None = None) -> None:
        """Bring back the bundle of that tag that was set aside last.

        Raises:
            NotFound: there is none, or its time is over.
            AlreadyExists: another bundle has the tag by now.
        """
        self._changes.restore(tag, also)

    def purge(self, before: datetime) -> _Tags:
        """Remove for good what was set aside before that moment; returns what went."""
        return self._changes.purge(before)

    def resolve(self, bento: str) -> Path:
        """The directory of a bundle given as a directory or as `Name:Version`; a directory wins.

        Raises:
            NotFound: the text is neither, or names no bundle.
            FailedPrecondition: the bundle's files are gone.
        """
        if Path(bento).is_dir():
            return Path(bento)
        if bento.lower().startswith(_REMOTE):
            raise BentoMLException(
                f"'{bento}' is a remote address; copy the bundle to a local directory and give that."
            )
        if ":" not in bento and "@" not in bento:
            raise NotFound(
                f'BentoService "{bento}" not found - either specify the file path of the BentoService saved '
                f'bundle, or the BentoService id in the form of "name:version"{self._latest_hint(bento)}'
            )
        record = self.get(*split_reference(bento))
        if record.uri_type != "LOCAL":
            raise FailedPrecondition(f"{record.tag} is stored at '{record.uri}', not on this machine.")
        if record.status == BROKEN:
            raise FailedPrecondition(
                f"The files of {record.tag} are missing at '{record.uri}'. Put them back, or remove the "
                f"entry with `bentoml delete {record.tag}`."
            )
        return Path(record.uri)

    def target(self, tag: Tag) -> Path:
        """Where a bundle's directory belongs."""
        return self._shelf.target(tag)

    def recover(self) -> None:
        """Finish what crashes left behind."""
        self._changes.recover()

    def is_new(self) -> bool:
        """Whether no bundle is there, so that an absent index is no loss."""
        return self._shelf.is_new()

    def iter_directories(self) -> Iterator[Path]:
        """Every `<Name>/<Version>` directory that holds a bundle, known to the index or not."""
        return self._shelf.iter_directories()

    def located(self, record: BundleRecord) -> BundleRecord:
        """The record with the directory where the files are now: a home may have moved."""
        return self._shelf.located(record)

    def hint_for_name(self, name: str) -> str:
        """For a name that no bundle has: who may have been meant, as a sentence; else empty."""
        self._changes.open()
        return hint_for_name(self._index, name)

    def _tag(self, name: str, version: str) -> Tag:
        """The tag that a version, `latest` or `@alias` stands for. Raises `NotFound`."""
        if not version.startswith("@"):
            return Tag(name, LATEST if version.lower() == LATEST else version)
        found = self._index.find_alias(validate_service_name(name), validate_label_key(version[1:]))
        if found is None:
            raise NotFound(f"BentoService {name}{version} not found: there is no such alias.")
        return Tag(name, found)

    def _latest_hint(self, name: str) -> str:
        self._changes.open()
        return latest_hint(self._index, name)
