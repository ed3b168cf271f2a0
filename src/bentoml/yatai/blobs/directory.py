"""Bundles in a directory of this machine: the local repository, as the server uses it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bentoml.exceptions import NotFound
from bentoml.repository.base import BundleRecord
from bentoml.repository.index import Addition
from bentoml.repository.local import LocalRepository
from bentoml.tags import Tag

from .base import InSameTransaction


class DirectoryStore:
    """The store over a local repository."""

    def __init__(self, repository: LocalRepository) -> None:
        self._repository = repository

    @property
    def address(self) -> str:
        return str(self._repository.path)

    @property
    def staging(self) -> Path | None:
        return self._repository.path / ".arriving"

    def add_received(self, tree: Path, digests: Mapping[str, str], tag: Tag, addition: Addition) -> None:
        self._repository.add_received(tree, digests, tag, addition)

    def set_aside(self, tag: Tag, also: InSameTransaction | None = None) -> None:
        self._repository.set_aside(tag, also)

    def restore(self, tag: Tag, also: InSameTransaction | None = None) -> None:
        self._repository.restore(tag, also)

    def purge(self, before: datetime) -> list[Tag]:
        return self._repository.purge(before)

    def clean_up(self) -> None:
        self._repository.recover()

    @contextlib.contextmanager
    def directory(self, record: BundleRecord) -> Iterator[Path]:
        path = Path(self.locate(record).uri)
        if not path.is_dir():
            raise NotFound(f"The files of {record.tag} are missing at '{path}'.")
        try:
            yield path
        except FileNotFoundError as err:
            raise NotFound(f"{record.tag} was deleted while it was read.") from err

    def locate(self, record: BundleRecord) -> BundleRecord:
        return self._repository.located(record)

    def signed_url(self, record: BundleRecord) -> str:
        return ""
