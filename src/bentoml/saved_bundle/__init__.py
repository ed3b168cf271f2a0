"""Saved bundles under the module name that the 0.13 line used; the work is done in `bentoml.bundle`."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "load_bento_service_api": "bentoml.bundle.load:load_service_api",
    "load_bento_service_class": "bentoml.bundle.load:load_service_class",
    "load_bento_service_metadata": "bentoml.bundle.metadata:metadata_dict",
    "load_from_dir": "bentoml.bundle.load:load_from_dir",
    "load_saved_bundle_config": "bentoml.bundle.descriptor:read_descriptor",
    "safe_retrieve": "bentoml.bundle.load:safe_retrieve",
    "save_to_dir": "bentoml.bundle.save:save_to_dir",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605 - the table above is the one list


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bentoml.saved_bundle' has no attribute '{name}'")
    module_name, _, attribute = _PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module_name), attribute)
