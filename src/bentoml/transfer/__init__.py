"""Saved bundles as single files: to machines without a network, to shelves, to other people.

from bentoml.transfer import export_bundle, import_bundle
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .export import Exported, export_bundle
    from .receive import Imported, import_bundle

_LAZY = {
    "Exported": "export",
    "Imported": "receive",
    "export_bundle": "export",
    "import_bundle": "receive",
}
__all__ = ["Exported", "Imported", "export_bundle", "import_bundle"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when something lazy is asked for

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
