"""Where saved bundles live: a directory, an index, and changes that happen whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import BundleRecord, Repository
    from .local import LocalRepository
    from .open import open_repository

_LAZY = {
    "BundleRecord": "base",
    "LocalRepository": "local",
    "Repository": "base",
    "open_repository": "open",
}
__all__ = ["BundleRecord", "LocalRepository", "Repository", "open_repository"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - SQLAlchemy is loaded when it is needed

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
