"""The directories of a repository: where each bundle's files are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from bentoml.exceptions import InvalidArgument
from bentoml.tags import Tag

from .base import BROKEN, BundleRecord
from .durable import explained
from .staging import AREA

DELETED = ".deleted"


class Shelf:
    """The bundles' directories below one directory, two levels deep."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def target(self, tag: Tag) -> Path:
        """Where a bundle's directory belongs; always two levels below the repository."""
        path = self.path / tag.name / tag.version
        if not path.parent.resolve().is_relative_to(self.path.resolve()):
            raise InvalidArgument(f"'{path.parent}' leads out of the repository '{self.path}'.")
        return path

    def is_new(self) -> bool:
        """Whether no bundle is there, so that an absent index is no loss."""
        with explained(f"Opening the repository '{self.path}'"):
            return next(self.iter_directories(), None) is None

    def iter_directories(self) -> Iterator[Path]:
        """Every `<Name>/<Version>` directory that holds a bundle, known to the index or not."""
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(self.path.iterdir()):
                if name.name not in (AREA, DELETED) and name.is_dir():
                    yield from (path for path in sorted(name.iterdir()) if (path / "bentoml.yml").is_file())

    def located(self, record: BundleRecord) -> BundleRecord:
        """The record with the directory where the files are now: a home may have moved."""
        return self.located_all([record])[0]

    def located_all(self, records: Iterable[BundleRecord]) -> list[BundleRecord]:
        """The same for many: the folder of a name is looked at once."""
        folders: dict[str, Path] = {}
        found = []
        for record in records:
            if record.uri_type != "LOCAL":
                found.append(record)
                continue
            if record.name not in folders:
                folders[record.name] = self.target(Tag(record.name, record.version)).parent
            found.append(_located(record, folders[record.name] / record.version))
        return found


def _located(record: BundleRecord, expected: Path) -> BundleRecord:
    # `os.path.isdir` is false for what may not be looked at; a `Path` raises then.
    if os.path.isdir(expected):
        return replace(record, uri=str(expected))
    return record if os.path.isdir(record.uri) else replace(record, status=BROKEN)
