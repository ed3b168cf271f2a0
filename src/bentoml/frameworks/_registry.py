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


def _extra(name: str) -> str:
    """The command for what one extra of this package brings."""
    return f"pip install 'bentoml[{name}]'"


FRAMEWORKS: Registry[type[BentoServiceArtifact]] = Registry(
    "frameworks",
    {
        "CatBoostModelArtifact": Entry(
            "bentoml.frameworks.catboost:CatBoostModelArtifact", _extra("catboost")
        ),
        "CoreMLModelArtifact": Entry("bentoml.frameworks.coreml:CoreMLModelArtifact", _extra("coreml")),
        "DetectronModelArtifact": Entry(
            "bentoml.frameworks.detectron:DetectronModelArtifact",
            "pip install 'git+https://github.com/facebookresearch/detectron2.git'",
        ),
        "EasyOCRArtifact": Entry("bentoml.frameworks.easyocr:EasyOCRArtifact", _extra("easyocr")),
        "EvalMLModelArtifact": Entry("bentoml.frameworks.evalml:EvalMLModelArtifact", _extra("evalml")),
        "Fastai1ModelArtifact": Entry(
            "bentoml.frameworks.fastai:Fastai1ModelArtifact", "pip install 'fastai<2'"
        ),
        "FastaiModelArtifact": Entry("bentoml.frameworks.fastai:FastaiModelArtifact", _extra("fastai")),
        "FasttextModelArtifact": Entry(
            "bentoml.frameworks.fasttext:FasttextModelArtifact", _extra("fasttext")
        ),
        "FlaxModelArtifact": Entry("bentoml.frameworks.flax:FlaxModelArtifact", _extra("flax")),
        "GluonModelArtifact": Entry("bentoml.frameworks.gluon:GluonModelArtifact", _extra("gluon")),
        "H2oModelArtifact": Entry("bentoml.frameworks.h2o:H2oModelArtifact", _extra("h2o")),
        "JaxModelArtifact": Entry("bentoml.frameworks.jax:JaxModelArtifact", _extra("jax")),
        "KerasModelArtifact": Entry("bentoml.frameworks.keras:KerasModelArtifact", _extra("keras")),
        "LightGBMModelArtifact": Entry(
            "bentoml.frameworks.lightgbm:LightGBMModelArtifact", _extra("lightgbm")
        ),
        "MlflowModelArtifact": Entry("bentoml.frameworks.mlflow:MlflowModelArtifact", _extra("mlflow")),
        "OnnxMlirModelArtifact": Entry(
            "bentoml.frameworks.onnxmlir:OnnxMlirModelArtifact",
            "pip install numpy, and build PyRuntime with onnx-mlir",
        ),
        "OnnxModelArtifact": Entry("bentoml.frameworks.onnx:OnnxModelArtifact", _extra("onnx")),
        "PaddlePaddleModelArtifact": Entry(
            "bentoml.frameworks.paddle:PaddlePaddleModelArtifact", _extra("paddle")
        ),
        "PytorchLightningModelArtifact": Entry(
            "bentoml.frameworks.pytorch:PytorchLightningModelArtifact", _extra("lightning")
        ),
        "PytorchModelArtifact": Entry("bentoml.frameworks.pytorch:PytorchModelArtifact", _extra("pytorch")),
        "SafetensorsModelArtifact": Entry(
            "bentoml.frameworks.safetensors:SafetensorsModelArtifact", _extra("safetensors")
        ),
        "SentenceTransformersModelArtifact": Entry(
            "bentoml.frameworks.sentence_transformers:SentenceTransformersModelArtifact",
            _extra("sentence-transformers"),
        ),
        "SklearnModelArtifact": Entry("bentoml.frameworks.sklearn:SklearnModelArtifact", _extra("sklearn")),
        "SpacyModelArtifact": Entry("bentoml.frameworks.spacy:SpacyModelArtifact", _extra("spacy")),
        "StatsmodelsModelArtifact": Entry(
            "bentoml.frameworks.statsmodels:StatsmodelsModelArtifact", _extra("statsmodels")
        ),
        "TensorflowSavedModelArtifact": Entry(
            "bentoml.frameworks.tensorflow:TensorflowSavedModelArtifact", _extra("tensorflow")
        ),
        "TransformersModelArtifact": Entry(
            "bentoml.frameworks.transformers:TransformersModelArtifact", _extra("transformers")
        ),
        "XgboostModelArtifact": Entry("bentoml.frameworks.xgboost:XgboostModelArtifact", _extra("xgboost")),
    },
)

_OPTIONAL = {"skops": _extra("skops")}  # packages that only an option of an artifact needs


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
    hint = _OPTIONAL.get(package, hint)
    return MissingDependencyException(
        f"{package} package is required to use {type(artifact).__name__}. Install it with: {hint}"
    )
