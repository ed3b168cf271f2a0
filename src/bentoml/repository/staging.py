"""The working area inside a repository: where bundles are made and where deleted ones go.

    <repository>/.staging/<token>/bundle    a bundle being written
    <repository>/.staging/<token>/intent    "Name/Version" whose directory is about to change
    <repository>/.staging/<token>/old       the directory that is being replaced
    <repository>/.staging/<token>.lock      held while the operation's process lives
    <repository>/.staging/trash-<token>     a directory that no bundle uses any more
    <repository>/.staging/Name@Version.lock held while that bundle's directory and row change

The leading dot keeps it apart from service names. Everything here whose lock is free belongs to an
operation that died; `recover` brings each such operation to its old or its new state.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bentoml.exceptions import InvalidArgument
from bentoml.tags import Tag

from . import durable
from .locks import FileLock

logger = logging.getLogger("bentoml.repository")

AREA = ".staging"
_INTENT = "intent"
_BUNDLE = "bundle"
_OLD = "old"
_TRASH = "trash-"
_LOCK = ".lock"


@dataclass(slots=True)
class Operation:
    """One save or delete in progress.

    Attributes:
        path: its private directory, removed when the operation ends.
        unsettled: the operation failed so badly that the next start has to finish it.
    """

    path: Path
    unsettled: bool = False

    @property
    def bundle(self) -> Path:
        """Where a new bundle is written before it gets its name."""
        return self.path / _BUNDLE

    def announce(self, tag: Tag) -> None:
        """Put on disk which bundle's directory is about to appear or disappear."""
        durable.write_file(self.path / _INTENT, f"{tag.name}/{tag.version}".encode())

    def replace(self, tag: Tag, target: Path) -> None:
        """Put the new bundle in the place of `target`, which goes when the operation ends."""
        self.announce(tag)
        if durable.exchange(self.bundle, target):
            return
        durable.move(target, self.path / _OLD)  # between the two moves `recover` would put it back
        try:
            durable.move(self.bundle, target)
        except BaseException:
            durable.move(self.path / _OLD, target)
            raise


class StagingArea:
    """Private directories on the repository's own file system, and what crashes left in them."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.path = repository / AREA

    @contextlib.contextmanager
    def operation(self) -> Iterator[Operation]:
        """A private directory and its lock, both gone at the end, whatever happens inside."""
        durable.make_directory(self.path)
        lock, operation = self._begin()
        try:
            yield operation
        finally:
            if not operation.unsettled:
                durable.remove_tree(operation.path)
            lock.release()

    def lock(self, tag: Tag) -> FileLock:
        """The lock under which the directory and the row of one bundle change together."""
        return FileLock(self.path / f"{tag.name}@{tag.version}{_LOCK}")

    def discard(self, path: Path) -> None:
        """Take a bundle's directory out of the repository at once, then remove it."""
        trash = self.path / f"{_TRASH}{uuid.uuid4().hex}"
        durable.move(path, trash)
        durable.remove_tree(trash)

    def recover(self, settle: Callable[[Tag], None]) -> None:
        """Finish what dead processes left behind; operations of living ones are not touched.

        Args:
            settle: makes the directory of a tag agree with the index; called for every tag a dead
                operation had announced.
        """
        try:
            names = sorted(entry.name for entry in self.path.iterdir())
        except OSError:
            return  # no working area yet, or one this user may not read
        for name in names:
            path = self.path / name
            try:
                self._recover_entry(path, settle)
            except OSError as err:
                logger.debug("Clean-up of %s is left to a later start: %s", path, err)

    def _begin(self) -> tuple[FileLock, Operation]:
        while True:
            token = uuid.uuid4().hex
            lock = FileLock(self.path / f"{token}{_LOCK}")
            if lock.try_acquire():  # else a recovering process saw the file before it was locked
                break
        operation = Operation(self.path / token)
        try:
            operation.bundle.mkdir(parents=True)
        except BaseException:
            durable.remove_tree(operation.path)
            lock.release()
            raise
        return lock, operation

    def _recover_entry(self, path: Path, settle: Callable[[Tag], None]) -> None:
        if path.name.startswith(_TRASH):
            durable.remove_tree(path)
            return
        directory = path.with_name(path.name.removesuffix(_LOCK))
        lock = FileLock(directory.with_name(directory.name + _LOCK))
        if not path.exists() or not lock.try_acquire():
            return
        try:
            if directory.is_dir():
                logger.debug("Cleaning up after an interrupted operation (%s)", directory.name)
                self._settle_intent(directory, settle)
                durable.remove_tree(directory)
        finally:
            lock.release()

    def _settle_intent(self, directory: Path, settle: Callable[[Tag], None]) -> None:
        try:
            name, _, version = (directory / _INTENT).read_text("ascii").partition("/")
            tag = Tag(name, version)
        except (FileNotFoundError, UnicodeDecodeError, InvalidArgument):
            return  # the operation died before it changed anything
        target = self.repository / tag.name / tag.version
        if (directory / _OLD).is_dir() and not target.exists():
            durable.move(directory / _OLD, target)
        settle(tag)
