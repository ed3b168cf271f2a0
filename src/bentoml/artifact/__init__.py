"""Artifact classes under the path used before 0.9, with a deprecation warning for each."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

# Names that are not framework artifacts, and the module each lives in.
_COMMON = {
    "ArtifactCollection": "bentoml.service.artifacts.collection",
    "BentoServiceArtifact": "bentoml.service.artifacts.base",
    "JSONArtifact": "bentoml.service.artifacts.common",
    "PickleArtifact": "bentoml.service.artifacts.common",
    "TextFileArtifact": "bentoml.service.artifacts.common",
}

# Names that meant another class here than in `bentoml.frameworks`: version 1 came first.
_RENAMED = {"FastaiModelArtifact": "Fastai1ModelArtifact", "Fastai2ModelArtifact": "FastaiModelArtifact"}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    new_name = _RENAMED.get(name, name)
    module_name = _COMMON.get(name) or _framework_module(new_name)
    if module_name is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    what = "it" if new_name == name else new_name
    warnings.warn(
        f"bentoml.artifact.{name} is deprecated and will be removed in 1.0; import {what} from {module_name}",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(importlib.import_module(module_name), new_name)


def _framework_module(name: str) -> str | None:
    from bentoml.frameworks._registry import FRAMEWORKS  # noqa: PLC0415 - only for the old names

    return FRAMEWORKS.entry(name).target.partition(":")[0] if name in FRAMEWORKS else None
