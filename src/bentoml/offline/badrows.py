"""The file of rows that got no prediction: one JSON object per line with number, reason and data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from bentoml.adapters.json_codec import dumps

from .values import BadRow

_MOST_DATA = 1 << 16


def bad_row_line(row: BadRow) -> bytes:
    """One line. Data over 64 KiB is cut to its beginning, as text."""
    data = dumps(row.data)
    if len(data) > _MOST_DATA:
        data = dumps(data[:_MOST_DATA].decode("utf-8", "ignore") + "…")
    return b'{"row":%d,"reason":%b,"data":%b}\n' % (row.row, dumps(row.reason), data)


class BadRowFile:
    """Made with the first bad row; a file of an earlier run is removed at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None
        with contextlib.suppress(FileNotFoundError):
            path.unlink()

    def write(self, rows: Iterable[BadRow]) -> None:
        for row in rows:
            if self._stream is None:
                self._stream = open(self._path, "wb")  # noqa: SIM115 - closed by close
            self._stream.write(bad_row_line(row))

    def close(self) -> Path | None:
        """The path, None when there was no bad row."""
        if self._stream is None:
            return None
        self._stream.close()
        return self._path
