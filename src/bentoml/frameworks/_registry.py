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
        "CatBoostModelArtifact": Entry(
            "bentoml.frameworks.catboost:CatBoostModelArtifact", "pip install catboost"
        ),
        "CoreMLModelArtifact": Entry(
            "bentoml.frameworks.coreml:CoreMLModelArtifact", "pip install coremltools"
        ),
        "DetectronModelArtifact": Entry(
            "bentoml.frameworks.detectron:DetectronModelArtifact",
            "pip install 'git+https://github.com/facebookresearch/detectron2.git'",
        ),
        "EasyOCRArtifact": Entry("bentoml.frameworks.easyocr:EasyOCRArtifact", "pip install easyocr"),
        "EvalMLModelArtifact": Entry("bentoml.frameworks.evalml:EvalMLModelArtifact", "pip install evalml"),
        "Fastai1ModelArtifact": Entry(
            "bentoml.frameworks.fastai:Fastai1ModelArtifact", "pip install 'fastai<2'"
        ),
        "FastaiModelArtifact": Entry("bentoml.frameworks.fastai:FastaiModelArtifact", "pip install fastai"),
        "FasttextModelArtifact": Entry(
            "bentoml.frameworks.fasttext:FasttextModelArtifact", "pip install fasttext"
        ),
        "FlaxModelArtifact": Entry("bentoml.frameworks.flax:FlaxModelArtifact", "pip install flax"),
        "GluonModelArtifact": Entry("bentoml.frameworks.gluon:GluonModelArtifact", "pip install mxnet"),
        "H2oModelArtifact": Entry("bentoml.frameworks.h2o:H2oModelArtifact", "pip install h2o"),
        "JaxModelArtifact": Entry("bentoml.frameworks.jax:JaxModelArtifact", "pip install jax flatbuffers"),
        "KerasModelArtifact": Entry(
            "bentoml.frameworks.keras:KerasModelArtifact", "pip install keras tensorflow"
        ),
        "LightGBMModelArtifact": Entry(
            "bentoml.frameworks.lightgbm:LightGBMModelArtifact", "pip install lightgbm"
        ),
        "MlflowModelArtifact": Entry("bentoml.frameworks.mlflow:MlflowModelArtifact", "pip install mlflow"),
        "OnnxMlirModelArtifact": Entry(
            "bentoml.frameworks.onnxmlir:OnnxMlirModelArtifact",
            "pip install numpy, and build PyRuntime with onnx-mlir",
        ),
        "OnnxModelArtifact": Entry(
            "bentoml.frameworks.onnx:OnnxModelArtifact", "pip install onnx onnxruntime"
        ),
        "PaddlePaddleModelArtifact": Entry(
            "bentoml.frameworks.paddle:PaddlePaddleModelArtifact", "pip install paddlepaddle"
        ),
        "PytorchLightningModelArtifact": Entry(
            "bentoml.frameworks.pytorch:PytorchLightningModelArtifact", "pip install torch pytorch-lightning"
        ),
        "PytorchModelArtifact": Entry("bentoml.frameworks.pytorch:PytorchModelArtifact", "pip install torch"),
        "SafetensorsModelArtifact": Entry(
            "bentoml.frameworks.safetensors:SafetensorsModelArtifact", "pip install safetensors torch"
        ),
        "SentenceTransformersModelArtifact": Entry(
            "bentoml.frameworks.sentence_transformers:SentenceTransformersModelArtifact",
            "pip install sentence-transformers",
        ),
        "SklearnModelArtifact": Entry(
            "bentoml.frameworks.sklearn:SklearnModelArtifact", "pip install scikit-learn"
        ),
        "SpacyModelArtifact": Entry("bentoml.frameworks.spacy:SpacyModelArtifact", "pip install spacy"),
        "StatsmodelsModelArtifact": Entry(
            "bentoml.frameworks.statsmodels:StatsmodelsModelArtifact", "pip install statsmodels"
        ),
        "TensorflowSavedModelArtifact": Entry(
            "bentoml.frameworks.tensorflow:TensorflowSavedModelArtifact", "pip install tensorflow"
        ),
        "TransformersModelArtifact": Entry(
            "bentoml.frameworks.transformers:TransformersModelArtifact", "pip install transformers torch"
        ),
        "XgboostModelArtifact": Entry(
            "bentoml.frameworks.xgboost:XgboostModelArtifact", "pip install xgboost"
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
