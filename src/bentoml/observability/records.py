"""Where prediction and feedback records go: a shared rotating file, or a logger of the user's own."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path

from .logs import MAX_FILE_BYTES, RECORD_BACKUPS
from .rotating_file import RotatingFile

logger = logging.getLogger("bentoml.records")


class RecordSink:
    """Takes JSON lines; a failure is reported once and never raised (a full disk stops nobody).

    Args:
        target: the file, or in the advanced logging mode the logger that gets each record as a
            dict, as 0.13 did.
    """

    def __init__(self, target: Path | logging.Logger) -> None:
        self._logger = target if isinstance(target, logging.Logger) else None
        self._file = (
            None
            if isinstance(target, logging.Logger)
            else RotatingFile(target, MAX_FILE_BYTES, RECORD_BACKUPS)
        )
        self.lost = 0

    def write(self, lines: bytes) -> None:
        """Append whole lines."""
        if self._file is None:
            self._hand_over(lines)
            return
        try:
            self._file.write(lines)
        except OSError as err:
            if not self.lost:
                logger.warning(
                    "Cannot write %s: %s. Records are lost until it works again.", self._file.path, err
                )
            self.lost += lines.count(b"\n")
        else:
            if self.lost:
                logger.warning("Writing %s again; %d records were lost.", self._file.path, self.lost)
                self.lost = 0

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _hand_over(self, lines: bytes) -> None:
        target = self._logger
        if target is not None and target.isEnabledFor(logging.INFO):
            for line in lines.splitlines():
                target.info(json.loads(line))
