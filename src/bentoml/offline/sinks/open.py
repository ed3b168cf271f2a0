"""From what a user names as output to the sink that writes it."""

from __future__ import annotations

import os
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.offline.locations import suffix_of
from bentoml.offline.registry import ENDINGS, SINKS, known_format

from .base import STDOUT, Sink
from .memory import TableSink
from .sql import SqlSink, SqlTable


def open_sink(spec: Any, *, format: str | None = None) -> Sink:
    """The sink for `spec`: a path or URL, `-`, an `SqlTable`, None for a table in memory.

    A path that ends with a slash, or is a folder, gets one file per prediction. Raises
    `InvalidArgument` when the format cannot be told.
    """
    if spec is None:
        return TableSink()
    if isinstance(spec, SqlTable):
        return SqlSink(spec)
    if hasattr(spec, "write") and hasattr(spec, "finish"):
        own: Sink = spec
        return own
    location = os.fspath(spec)
    sink: Sink = SINKS.load(_format(location, format))(location)
    return sink


def _format(location: str, format: str | None) -> str:
    if format:
        return known_format(format, SINKS)
    if location == STDOUT:
        return "jsonl"
    if location.endswith(("/", os.sep)) or os.path.isdir(location):
        return "files"
    found = ENDINGS.get(suffix_of(location))
    if found in list(SINKS):
        return str(found)
    raise InvalidArgument(
        f"Cannot tell the format of the output '{location}' by its ending; use one of "
        f"{', '.join(e for e, name in ENDINGS.items() if name in list(SINKS))}, or a folder ending with /"
    )
