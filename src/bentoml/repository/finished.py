"""The condition that an upload is finished, spelled as the partial index has it.

SQLAlchemy's own expression for a key of a JSON column has the key as a parameter, and no database uses a
partial index for a condition that it knows only when the query runs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from .models import FINISHED_POSTGRESQL, FINISHED_SQLITE


class Finished(ColumnElement[bool]):
    """Of the rows of `bentos`."""

    inherit_cache = True
    # Nothing in it varies. Without this, statements with it are compiled each time.
    _traverse_internals: list[tuple[str, InternalTraversal]] = []  # noqa: RUF012 - declared so by SQLAlchemy
    type = Boolean()

    def self_group(self, against: Any = None) -> Finished:
        """Itself: SQLAlchemy would write `… = 1` for databases without a type for truth."""
        return self


class Unfinished(Finished):
    """Announced by a server of 0.13, and never there."""

    inherit_cache = True


@compiles(Finished)
def _postgresql(element: Finished, _compiler: Any, **_options: Any) -> str:
    return _spelled(element, FINISHED_POSTGRESQL)


@compiles(Finished, "sqlite")
def _sqlite(element: Finished, _compiler: Any, **_options: Any) -> str:
    return _spelled(element, FINISHED_SQLITE)


def _spelled(element: Finished, condition: str) -> str:
    return f"(NOT {condition})" if isinstance(element, Unfinished) else f"({condition})"
