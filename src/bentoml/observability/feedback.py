"""feedback.log: what clients say later about an answer, one JSON object a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .records import RecordSink


class FeedbackLog:
    """Writes posted feedback together with the name and version of the service."""

    def __init__(self, target: Path | logging.Logger, service_name: str, service_version: str) -> None:
        self._sink = RecordSink(target)
        self._service = {"service_name": service_name, "service_version": service_version}

    def write(self, feedback: Mapping[str, Any]) -> None:
        """Append one record. `json` escapes every control character, so it stays one line."""
        self._sink.write(json.dumps({**feedback, **self._service}).encode() + b"\n")

    def close(self) -> None:
        self._sink.close()
