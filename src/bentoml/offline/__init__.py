"""Offline serving: the API functions of a saved service over files and tables of any size."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .entry import run as run
    from .sinks.sql import SqlTable as SqlTable
    from .sources.sql import SqlQuery as SqlQuery
    from .values import Summary as Summary
    from .values import TooManyErrors as TooManyErrors

_PUBLIC = {
    "SqlQuery": "bentoml.offline.sources.sql",
    "SqlTable": "bentoml.offline.sinks.sql",
    "Summary": "bentoml.offline.values",
    "TooManyErrors": "bentoml.offline.values",
    "run": "bentoml.offline.entry",
}

__all__ = ["SqlQuery", "SqlTable", "Summary", "TooManyErrors", "run"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bentoml.offline' has no attribute '{name}'")
    from .extra import require_packages  # noqa: PLC0415 - only what is used is checked

    require_packages()
    return getattr(importlib.import_module(_PUBLIC[name]), name)
