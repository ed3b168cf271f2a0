"""A folder with one file per prediction, for images and other bytes."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

import fsspec

from bentoml.exceptions import InvalidArgument
from bentoml.offline.cells import is_json_text, json_cells
from bentoml.offline.values import CONTENT_TYPE, PREDICTION

_ENDINGS = {"image/jpeg": ".jpg", "text/plain": ".txt", "application/octet-stream": ".bin"}


class FilesSink:
    """Names come from the column `path` where there is one, else from the number of the row.

    Every file is written under its own name at once; writing it again gives the same file.
    """

    def __init__(self, location: str) -> None:
        self._location = location.rstrip("/")
        self._fs: Any = None
        self._folder = ""
        self._count = 0
        self._used: set[str] = set()

    def prepare(self, *, replace: bool) -> None:
        if os.path.isfile(self._location):
            raise InvalidArgument(f"Cannot write files into '{self._location}': it is not a folder")
        self._fs, self._folder = fsspec.core.url_to_fs(self._location)

    def expect(self, batches: Iterable[Any]) -> None:
        """Every file stands for itself."""

    def write(self, batch: Any) -> None:
        self._fs.makedirs(self._folder, exist_ok=True)
        if PREDICTION not in batch.schema.names:
            raise InvalidArgument("A folder of files needs APIs with one result per item, not a table")
        field = batch.schema.field(PREDICTION)
        ending = _ending(field)
        column = batch.column(PREDICTION)
        bodies = column.to_pylist() if _is_bytes(field) else json_cells(column, field)
        paths = batch.column("path").to_pylist() if "path" in batch.schema.names else [None] * len(bodies)
        for path, body in zip(paths, bodies, strict=True):
            self._count += 1
            data = body.encode() if isinstance(body, str) else body
            self._fs.pipe_file(f"{self._folder}/{self._name(path, ending)}", data or b"")

    def _name(self, path: str | None, ending: str) -> str:
        stem = PurePosixPath(path.replace(os.sep, "/")).stem if path else f"{self._count:09d}"
        name = f"{stem}{ending}"
        if name in self._used:
            name = f"{stem}-{self._count:09d}{ending}"
        self._used.add(name)
        return name

    def finish(self) -> None:
        self._fs.makedirs(self._folder, exist_ok=True)

    def abort(self) -> None:
        """What is there is whole; the rest was not begun."""


def _is_bytes(field: Any) -> bool:
    return not is_json_text(field) and bool(field.metadata) and CONTENT_TYPE in field.metadata


def _ending(field: Any) -> str:
    if not _is_bytes(field):
        return ".json"
    kind = field.metadata[CONTENT_TYPE].decode().partition(";")[0].strip()
    return _ENDINGS.get(kind) or mimetypes.guess_extension(kind) or ".bin"
