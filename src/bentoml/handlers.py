"""Adapters under the names used before 0.8, with a deprecation warning for each."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

NAMES = {
    "BentoHandler": "BaseInputAdapter",
    "DataframeHandler": "DataframeInput",
    "ImageHandler": "MultiImageInput",
    "JsonHandler": "JsonInput",
    "TensorflowTensorHandler": "TfTensorInput",
}
_CLIPPER = ("Bytes", "Floats", "Ints", "Doubles", "Strings")

__all__ = sorted(NAMES)  # noqa: PLE0605 - the table above is the one list


def __getattr__(name: str) -> Any:
    if name in {f"Clipper{kind}Handler" for kind in _CLIPPER}:
        clipper = importlib.import_module("bentoml.adapters.clipper_input")
        clipper.explain(name.replace("Handler", "Input"))
    new = NAMES.get(name)
    if new is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    warnings.warn(
        f"bentoml.handlers.{name} is deprecated and will be removed in 1.0; use bentoml.adapters.{new}",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(importlib.import_module("bentoml.adapters"), new)


def __dir__() -> list[str]:
    return __all__
