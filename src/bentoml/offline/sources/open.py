"""From what a user names as input to the source that reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from bentoml.exceptions import InvalidArgument
from bentoml.offline.locations import STDIN, expand, suffix_of
from bentoml.offline.registry import ENDINGS, SOURCES, known_format

from .base import Chain, Source, Wanted
from .files import FilesSource
from .memory import TableSource, table_of
from .sql import SqlQuery, SqlSource


def open_source(spec: Any, wanted: Wanted, *, format: str | None = None, takes_files: bool = False) -> Source:
    """The source for `spec`.

    Args:
        spec: a path, glob, folder or URL, or several; `-` for standard input; an `SqlQuery`; a data
            frame or Arrow table; or a source of one's own.
        wanted: what the API says about its input.
        format: a name of the registry; by default the file's ending decides.
        takes_files: the API takes files, so a file is one item whatever its ending.

    Raises:
        InvalidArgument: nothing is there, or its format cannot be told.
    """
    if isinstance(spec, SqlQuery):
        return SqlSource(spec)
    table = table_of(spec)
    if table is not None:
        return TableSource(table, wanted)
    if hasattr(spec, "chunks") and hasattr(spec, "identity"):
        own: Source = spec
        return own
    locations, several = expand(_locations(spec))
    name = _format(locations, format, takes_files=takes_files, several=several)
    if name == "files":
        return FilesSource(locations)
    parts: Sequence[Source] = [SOURCES.load(name)(location, wanted) for location in locations]
    return parts[0] if len(parts) == 1 else Chain(parts)


def _locations(spec: Any) -> list[str]:
    if isinstance(spec, (str, os.PathLike)):
        return [os.fspath(spec)]
    if isinstance(spec, Iterable):
        return [os.fspath(item) for item in spec]
    raise InvalidArgument(f"A {type(spec).__name__} is no input; give a path, a URL, a table or an SqlQuery")


def _format(locations: list[str], format: str | None, *, takes_files: bool, several: bool) -> str:
    if format:
        return known_format(format, SOURCES)
    if takes_files:
        return "files"
    if locations == [STDIN]:
        return "jsonl"
    found = {ENDINGS.get(suffix_of(location), "") for location in locations}
    if len(found) == 1 and "" not in found:
        return found.pop()
    if several and found == {""}:
        return "files"
    odd = next((place for place in locations if suffix_of(place) not in ENDINGS), locations[0])
    raise InvalidArgument(
        f"Cannot tell what '{odd}' holds by its ending; name the format ({', '.join(SOURCES)}), "
        f"the same for all files of a run"
    )
