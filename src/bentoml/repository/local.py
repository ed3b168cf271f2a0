"""The repository in a directory: bundles as folders, an SQLite index, atomic changes.

    <home>/repository/<Name>/<Version>/     bundles
    <home>/repository/.staging/             work in progress (see `staging`)
    <home>/repository/.deleted/<token>/     bundles that a server deleted and can restore
    <home>/storage.db                       the index

The row decides whether a bundle exists. Saving commits it after the directory is complete and on
disk; deleting marks it before the directory goes. So a crash leaves the state before or after.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from bentoml.exceptions import BentoMLException, FailedPrecondition, InvalidArgument, NotFound
from bentoml.observability.logs import user_logger
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
from .database import Database, SqliteDatabase
from .index import Addition, Index, already_exists
from .selector import parse_selector
from .staging import AREA, Operation, StagingArea

if TYPE_CHECKING:
    from bentoml.service import BentoService

logger = logging.getLogger("bentoml.repository")

DELETED = ".deleted"
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
        self._index = Index(opened or SqliteDatabase(self.database, may_create=self.is_new))
        self._staging = StagingArea(self.path)
        self._is_open = False

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

        return self._add(tag, write, addition)

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
        from bentoml.bundle.trust.policy import require_signature  # noqa: PLC0415

        source = Path(path)
        checked = validate_labels(labels)
        with _explained(f"Reading the bundle in '{source}'"):
            descriptor = read_descriptor(source)
            require_signature(source)

        def copy(target: Path) -> None:
            digests = durable.copy_tree(source, target)
            durable.sync_tree(target)
            durable.verify_tree(target, digests)
            require_signature(target)

        addition = Addition({}, checked, validate_lineage(lineage))
        return self._add(Tag(descriptor.name, descriptor.version), copy, addition)

    def add_received(self, tree: Path, digests: Mapping[str, str], tag: Tag, addition: Addition) -> Path:
        """Add the bundle in a directory that nobody else changes; it stays until the caller removes it.

        Args:
            digests: SHA-256 of its files, made of the bytes that were written to them.

        Raises:
            AlreadyExists: the name and version are taken.
            BundleCorrupted: the bundle differs from its manifest.
        """
        from bentoml.bundle.trust.policy import require_signature  # noqa: PLC0415 - loads the YAML reader

        def link(target: Path) -> Mapping[str, str] | None:
            are_links = durable.link_tree(tree, target)
            durable.sync_tree(target)
            require_signature(target)
            return digests if are_links else None

        return self._add(tag, link, addition)

    def get(self, name: str, version: str = LATEST) -> BundleRecord:
        """The record of one bundle.

        Args:
            version: also `latest`, in any case, for the one added last, or `@alias`.

        Raises:
            NotFound: there is no such bundle; the message suggests what may have been meant.
        """
        self._open()
        tag = self._tag(name, version)
        record = self._index.find(tag)
        if record is None:
            raise NotFound(
                f"BentoService {tag} not found - NOT_FOUND:BentoService `{tag}` is not found{self._hint(tag)}"
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
        self._open()
        records = self._index.select(
            name, selector, offset=offset, limit=limit, order_by=order_by, ascending=ascending
        )
        return [self.located(record) for record in records]

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
        self._open()
        record = self._index.find(tag)
        if record is None:
            raise NotFound(f"BentoService {tag} not found{self._hint(tag)}")
        self._take_out(tag, None, None)
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
        from bentoml.bundle.manifest import verify_manifest  # noqa: PLC0415 - loads the YAML reader

        parsed = Tag.parse(bento)
        record = self.get(parsed.name, parsed.version)
        tag = Tag(record.name, record.version)
        with (
            _explained(f"Changing {tag}"),
            self._staging.operation() as operation,
            self._staging.lock(tag),
        ):
            current = self.resolve(str(tag))
            durable.link_tree(current, operation.bundle)
            change(operation.bundle)
            durable.sync_tree(operation.bundle)
            verify_manifest(operation.bundle)
            operation.replace(tag, current)
        return current

    def set_aside(self, tag: Tag, also: Callable[[Connection], None] | None = None) -> None:
        """Remove one bundle so that `restore` can bring it back. Raises `NotFound`.

        Args:
            also: work of the transaction that removes the row.
        """
        self._open()
        self._take_out(tag, f"{DELETED}/{uuid.uuid4().hex}", also)

    def restore(self, tag: Tag, also: Callable[[Connection], None] | None = None) -> None:
        """Bring back the bundle of that tag that was set aside last.

        Raises:
            NotFound: there is none, or its time is over.
            AlreadyExists: another bundle has the tag by now.
        """
        self._open()
        with (
            _explained(f"Restoring {tag}"),
            self._staging.operation() as operation,
            self._staging.lock(tag),
        ):
            if self._index.find(tag) is not None:
                raise already_exists(tag)
            deleted = self._index.find_trash(tag)
            if deleted is None or not (self.path / deleted.trash).is_dir():
                raise NotFound(f"There is no deleted bundle {tag} that could be restored.")
            target = self.target(tag)
            self._clear_leftover(tag, target)
            operation.announce(tag)
            durable.make_directory(target.parent)
            try:
                durable.move(self.path / deleted.trash, target)
                self._index.restore(deleted, also)
            except BaseException:
                with self._kept_for_next_start(operation):
                    self._settle(tag)
                raise

    def purge(self, before: datetime) -> _Tags:
        """Remove for good what was set aside before that moment; returns what went."""
        self._open()
        gone = []
        for deleted in self._index.expired(before):
            with self._staging.lock(deleted.tag):
                self._index.forget_trash(deleted)
            durable.remove_tree(self.path / deleted.trash)
            gone.append(deleted.tag)
        return gone

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
                f'bundle, or the BentoService id in the form of "name:version"{self._name_hint(bento)}'
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
        """Where a bundle's directory belongs; always two levels below the repository."""
        path = self.path / tag.name / tag.version
        if not path.parent.resolve().is_relative_to(self.path.resolve()):
            raise InvalidArgument(f"'{path.parent}' leads out of the repository '{self.path}'.")
        return path

    def _tag(self, name: str, version: str) -> Tag:
        """The tag that a version, `latest` or `@alias` stands for. Raises `NotFound`."""
        if not version.startswith("@"):
            return Tag(name, LATEST if version.lower() == LATEST else version)
        found = self._index.find_alias(validate_service_name(name), validate_label_key(version[1:]))
        if found is None:
            raise NotFound(f"BentoService {name}{version} not found: there is no such alias.")
        return Tag(name, found)

    def _take_out(self, tag: Tag, trash: str | None, also: Callable[[Connection], None] | None) -> None:
        with (
            _explained(f"Deleting {tag}"),
            self._staging.operation() as operation,
            self._staging.lock(tag),
        ):
            operation.announce(tag)
            if not self._index.mark_deleted(tag, trash, also):
                raise NotFound(f"BentoService {tag} has already been deleted")
            with self._kept_for_next_start(operation):
                self._settle(tag)

    def _add(self, tag: Tag, write: Callable[[Path], Mapping[str, str] | None], addition: Addition) -> Path:
        """`write` returns the digests that it made of what it wrote, if it made any."""
        from bentoml.bundle.descriptor import read_descriptor  # noqa: PLC0415 - loads the YAML reader
        from bentoml.bundle.manifest import verify_manifest  # noqa: PLC0415
        from bentoml.bundle.metadata import metadata_dict  # noqa: PLC0415

        target = self.target(tag)
        with _explained(f"Saving {tag}"):
            self._open()
            if self._index.find(tag) is not None:
                raise already_exists(tag)
            with self._staging.operation() as operation:
                known = write(operation.bundle)
                durable.sync_tree(operation.bundle)
                manifest = verify_manifest(operation.bundle, known)
                descriptor = read_descriptor(operation.bundle)
                if (descriptor.name, descriptor.version) != (tag.name, tag.version):
                    raise InvalidArgument(f"The bundle calls itself {descriptor.tag}, not {tag}.")
                complete = replace(
                    addition,
                    metadata=metadata_dict(descriptor, camel=False),
                    size_bytes=durable.tree_size_bytes(operation.bundle),
                    digest=manifest.digest if manifest is not None else None,
                )
                self._publish(operation, tag, target, complete)
        user_logger().info("BentoService bundle '%s' saved to: %s", tag, target)
        return target

    def _publish(self, operation: Operation, tag: Tag, target: Path, addition: Addition) -> None:
        with self._staging.lock(tag):
            if self._index.find(tag) is not None:
                raise already_exists(tag)
            self._clear_leftover(tag, target)
            operation.announce(tag)
            durable.make_directory(target.parent)
            try:
                durable.move(operation.bundle, target)
                self._index.add(tag, str(target), addition)
            except BaseException:
                with self._kept_for_next_start(operation):
                    self._settle(tag)
                raise

    def _clear_leftover(self, tag: Tag, target: Path) -> None:
        """Make room where a lost index, or a removal that failed, left a directory without a row."""
        if not target.exists():
            return
        if self._index.has_sibling_in_other_case(tag):
            raise already_exists(tag)  # a file system that does not tell `Iris` from `iris`
        logger.warning("Replacing '%s', which the repository's index does not know", target)
        self._staging.discard(target)

    def _settle(self, tag: Tag) -> None:
        """Remove a bundle's directory if no row says that it exists. Needs the bundle's lock."""
        target = self.target(tag)
        if (
            target.exists()
            and self._index.find(tag) is None
            and not self._index.has_sibling_in_other_case(tag)
        ):
            deleted = self._index.find_trash(tag)
            if deleted is None or (self.path / deleted.trash).exists():
                self._staging.discard(target)
            else:
                durable.make_directory(self.path / DELETED)
                durable.move(target, self.path / deleted.trash)

    def _settle_after_crash(self, tag: Tag) -> None:
        lock = self._staging.lock(tag)
        if not lock.try_acquire():
            return  # who holds it looks after the directory
        try:
            self._settle(tag)
        finally:
            lock.release()

    @contextlib.contextmanager
    def _kept_for_next_start(self, operation: Operation) -> Iterator[None]:
        try:
            yield
        except (OSError, BentoMLException) as err:
            operation.unsettled = True
            logger.warning("Clean-up in '%s' is left to the next start: %s", self.path, err)

    def recover(self) -> None:
        """Finish what crashes left behind."""
        with _explained(f"Opening the repository '{self.path}'"):
            durable.make_directory(self.path)
            self._staging.recover(self._settle_after_crash)
            self._is_open = True

    def _open(self) -> None:
        """Create what is missing, and once per object finish what crashes left behind."""
        if not self._is_open:
            self.recover()
        elif not self.path.is_dir():
            with _explained(f"Opening the repository '{self.path}'"):
                durable.make_directory(self.path)

    def is_new(self) -> bool:
        """Whether no bundle is there, so that an absent index is no loss."""
        with _explained(f"Opening the repository '{self.path}'"):
            return next(self.iter_directories(), None) is None

    def iter_directories(self) -> Iterator[Path]:
        """Every `<Name>/<Version>` directory that holds a bundle, known to the index or not."""
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(self.path.iterdir()):
                if name.name not in (AREA, DELETED) and name.is_dir():
                    yield from (path for path in sorted(name.iterdir()) if (path / "bentoml.yml").is_file())

    def located(self, record: BundleRecord) -> BundleRecord:
        """The record with the directory where the files are now: a home may have moved."""
        if record.uri_type != "LOCAL":
            return record
        expected = self.target(Tag(record.name, record.version))
        if expected.is_dir():
            return replace(record, uri=str(expected))
        return record if Path(record.uri).is_dir() else replace(record, status=BROKEN)

    def hint_for_name(self, name: str) -> str:
        """For a name that no bundle has: who may have been meant, as a sentence; else empty."""
        self._open()
        names = self._index.names()
        close = [] if name in names else get_close_matches(name, names, n=1)
        return f"Did you mean '{close[0]}'?" if close else ""

    def _hint(self, tag: Tag) -> str:
        versions = self._index.versions(tag.name)
        if not versions:
            return self._name_hint(tag.name)
        close = get_close_matches(tag.version, versions, n=1, cutoff=0.5) or versions[:1]
        return f". Did you mean '{tag.name}:{close[0]}'?"

    def _name_hint(self, name: str) -> str:
        self._open()
        close = get_close_matches(name, self._index.names(), n=1)
        return f". Did you mean '{close[0]}:latest'?" if close else ""


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn an error of the file system into this library's, with the file and the reason."""
    try:
        yield
    except OSError as err:
        where = f": '{err.filename}'" if err.filename else ""
        raise BentoMLException(f"{what} failed: {err.strerror or err}{where}. Nothing was changed.") from err
