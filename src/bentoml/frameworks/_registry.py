"""Which framework artifacts exist and what to install for them.

A new framework is one module beside this one and one row here; packages of other people register
through the entry point group `bentoml.frameworks`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from bentoml.exceptions import MissingDependencyException
from bentoml.plugins import Entry, Registry
from bentoml.service.artifacts.base import BentoServiceArtifact

FRAMEWORKS: Registry[type[BentoServiceArtifact]] = Registry(
    "frameworks",
    {
        "PytorchLightningModelArtifact": Entry(
            "bentoml.frameworks.pytorch:PytorchLightningModelArtifact", "pip install torch pytorch-lightning"
        ),
        "PytorchModelArtifact": Entry("bentoml.frameworks.pytorch:PytorchModelArtifact", "pip install torch"),
        "SklearnModelArtifact": Entry(
            "bentoml.frameworks.sklearn:SklearnModelArtifact", "pip install scikit-learn"
        ),
        "TransformersModelArtifact": Entry(
            "bentoml.frameworks.transformers:TransformersModelArtifact", "pip install transformers torch"
        ),
    },
)


def import_package(module_name: str, artifact: BentoServiceArtifact) -> Any:
    """Import a framework for `artifact`.

    Raises:
        MissingDependencyException: it is not installed. A package that is there and fails to import
            keeps its own error.
    """
    try:
        module: ModuleType = importlib.import_module(module_name)
    except ModuleNotFoundError as err:
        if (err.name or "").partition(".")[0] != module_name.partition(".")[0]:
            raise
        raise missing(module_name, artifact) from err
    return module


def missing(module_name: str, artifact: BentoServiceArtifact) -> MissingDependencyException:
    """The error for a framework that is not installed, with the command that installs it."""
    package = module_name.partition(".")[0]
    owner = next((cls.__name__ for cls in type(artifact).__mro__ if cls.__name__ in FRAMEWORKS), "")
    hint = FRAMEWORKS.entry(owner).install_hint if owner else f"pip install {package}"
    return MissingDependencyException(
        f"{package} package is required to use {type(artifact).__name__}. Install it with: {hint}"
    )
