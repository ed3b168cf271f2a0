"""What a store of bundles can do. Adding is atomic: a bundle is listed when all of it is safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from bentoml.repository.base import BundleRecord
from bentoml.repository.index import Addition
from bentoml.tags import Tag

InSameTransaction = Callable[[Connection], None]


class BundleStore(Protocol):
    """Files of bundles together with the rows that list them."""

    @property
    def address(self) -> str:
        """Where the bundles are: a directory or `s3://…`."""
        ...

    @property
    def staging(self) -> Path | None:
        """A directory on the file system of the bundles; None if they are not on one."""
        ...

    def add_received(self, tree: Path, digests: Mapping[str, str], tag: Tag, addition: Addition) -> None:
        """Add the bundle in a directory, which stays. Raises `AlreadyExists`, `BundleCorrupted`.

        Args:
            digests: SHA-256 of its files, made of the bytes that were written to them.
        """
        ...

    def set_aside(self, tag: Tag, also: InSameTransaction | None = None) -> None:
        """Delete a bundle so that it can be restored. Raises `NotFound`."""
        ...

    def restore(self, tag: Tag, also: InSameTransaction | None = None) -> None:
        """Bring back what was set aside last. Raises `NotFound`, `AlreadyExists`."""
        ...

    def purge(self, before: datetime) -> list[Tag]:
        """Remove for good what was set aside before that moment."""
        ...

    def clean_up(self) -> None:
        """Remove what operations left that a crash ended; those that run are not touched."""
        ...

    def directory(self, record: BundleRecord) -> AbstractContextManager[Path]:
        """The bundle's files as a local directory, as long as the context lasts. Raises `NotFound`."""
        ...

    def locate(self, record: BundleRecord) -> BundleRecord:
        """The record with the present address and state of the files."""
        ...

    def signed_url(self, record: BundleRecord) -> str:
        """An address that needs no credentials, for a limited time; "" if there is none."""
        ...
