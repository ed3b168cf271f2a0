"""Changes of a repository: a bundle's directory and its row change together, or not at all.

The row decides whether a bundle exists. Adding commits it after the directory is complete and on
disk; deleting marks it before the directory goes. So a crash leaves the state before or after.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from bentoml.exceptions import BentoMLException, InvalidArgument, NotFound
from bentoml.observability.logs import user_logger
from bentoml.tags import Tag

from . import durable
from .durable import explained
from .index import Addition, Index, already_exists
from .shelf import DELETED, Shelf
from .staging import Operation, StagingArea

logger = logging.getLogger("bentoml.repository")


class Changes:
    """What adds, replaces, removes and brings back bundles.

    Args:
        shelf: their directories.
        index: their rows.
        staging: where unfinished work lies, on the same file system.
    """

    def __init__(self, shelf: Shelf, index: Index, staging: StagingArea) -> None:
        self._shelf = shelf
        self._index = index
        self._staging = staging
        self._is_open = False

    def recover(self) -> None:
        """Finish what crashes left behind."""
        with explained(f"Opening the repository '{self._shelf.path}'"):
            durable.make_directory(self._shelf.path)
            self._staging.recover(self._settle_after_crash)
            self._is_open = True

    def open(self) -> None:
        """Create what is missing, and once per object finish what crashes left behind."""
        if not self._is_open:
            self.recover()
        elif not self._shelf.path.is_dir():
            with explained(f"Opening the repository '{self._shelf.path}'"):
                durable.make_directory(self._shelf.path)

    def add(self, tag: Tag, write: Callable[[Path], Mapping[str, str] | None], addition: Addition) -> Path:
        """Add what `write` puts into an empty directory. Raises `AlreadyExists`, `BundleCorrupted`.

        Args:
            write: returns the digests of all files, if it made them while it wrote the files to the disk.
        """
        from bentoml.bundle.descriptor import read_descriptor  # noqa: PLC0415 - loads the YAML reader
        from bentoml.bundle.manifest import verify_manifest  # noqa: PLC0415
        from bentoml.bundle.metadata import metadata_dict  # noqa: PLC0415

        target = self._shelf.target(tag)
        with explained(f"Saving {tag}"):
            self.open()
            if self._index.find(tag) is not None:
                raise already_exists(tag)
            with self._staging.operation() as operation:
                known = write(operation.bundle)
                durable.sync_tree(operation.bundle, directories_only=bool(known))
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

    def rewrite(self, tag: Tag, current: Callable[[], Path], change: Callable[[Path], None]) -> Path:
        """Replace a bundle's directory by a changed copy; see `LocalRepository.rewrite`."""
        from bentoml.bundle.manifest import verify_manifest  # noqa: PLC0415 - loads the YAML reader

        with (
            explained(f"Changing {tag}"),
            self._staging.operation() as operation,
            self._staging.lock(tag),
        ):
            path = current()
            durable.link_tree(path, operation.bundle)
            change(operation.bundle)
            durable.sync_tree(operation.bundle)
            verify_manifest(operation.bundle)
            operation.replace(tag, path)
        return path

    def remove(self, tag: Tag, trash: str | None, also: Callable[[Connection], None] | None) -> None:
        """Take a bundle out of every listing; its files go to `trash`, or for good. Raises `NotFound`."""
        with (
            explained(f"Deleting {tag}"),
            self._staging.operation() as operation,
            self._staging.lock(tag),
        ):
            operation.announce(tag)
            if not self._index.mark_deleted(tag, trash, also):
                raise NotFound(f"BentoService {tag} has already been deleted")
            with self._kept_for_next_start(operation):
                self._settle(tag)

    def restore(self, tag: Tag, also: Callable[[Connection], None] | None = None) -> None:
        """Bring back the bundle of that tag that was set aside last.

        Raises:
            NotFound: there is none, or its time is over.
            AlreadyExists: another bundle has the tag by now.
        """
        self.open()
        with (
            explained(f"Restoring {tag}"),
            self._staging.operation() as operation,
            self._staging.lock(tag),
        ):
            if self._index.find(tag) is not None:
                raise already_exists(tag)
            deleted = self._index.find_trash(tag)
            if deleted is None or not (self._shelf.path / deleted.trash).is_dir():
                raise NotFound(f"There is no deleted bundle {tag} that could be restored.")
            target = self._shelf.target(tag)
            self._clear_leftover(tag, target)
            operation.announce(tag)
            durable.make_directory(target.parent)
            try:
                durable.move(self._shelf.path / deleted.trash, target)
                self._index.restore(deleted, also)
            except BaseException:
                with self._kept_for_next_start(operation):
                    self._settle(tag)
                raise

    def purge(self, before: datetime) -> list[Tag]:
        """Remove for good what was set aside before that moment; returns what went."""
        self.open()
        gone = []
        for deleted in self._index.expired(before):
            with self._staging.lock(deleted.tag):
                self._index.forget_trash(deleted)
            durable.remove_tree(self._shelf.path / deleted.trash)
            gone.append(deleted.tag)
        return gone

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
        target = self._shelf.target(tag)
        if (
            target.exists()
            and self._index.find(tag) is None
            and not self._index.has_sibling_in_other_case(tag)
        ):
            deleted = self._index.find_trash(tag)
            if deleted is None or (self._shelf.path / deleted.trash).exists():
                self._staging.discard(target)
            else:
                durable.make_directory(self._shelf.path / DELETED)
                durable.move(target, self._shelf.path / deleted.trash)

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
            logger.warning("Clean-up in '%s' is left to the next start: %s", self._shelf.path, err)
