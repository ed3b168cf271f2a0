from __future__ import annotations

import importlib

import pytest

import bentoml.artifact


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("ArtifactCollection", "bentoml.service.artifacts.collection"),
        ("BentoServiceArtifact", "bentoml.service.artifacts.base"),
        ("JSONArtifact", "bentoml.service.artifacts.common"),
        ("PickleArtifact", "bentoml.service.artifacts.common"),
        ("TextFileArtifact", "bentoml.service.artifacts.common"),
        ("PytorchModelArtifact", "bentoml.frameworks.pytorch"),
        ("SklearnModelArtifact", "bentoml.frameworks.sklearn"),
    ],
)
def test_old_names_warn_and_are_the_new_classes(name: str, module: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"{name} is deprecated .* 1.0; import it from {module}"):
        found = getattr(bentoml.artifact, name)
    assert found is getattr(importlib.import_module(module), name)


def test_every_name_of_0_13_is_there() -> None:
    names = (
        "CoreMLModelArtifact DetectronModelArtifact EasyOCRArtifact EvalMLModelArtifact "
        "FasttextModelArtifact H2oModelArtifact KerasModelArtifact LightGBMModelArtifact "
        "OnnxMlirModelArtifact OnnxModelArtifact PaddlePaddleModelArtifact "
        "PytorchLightningModelArtifact PytorchModelArtifact "
        "SklearnModelArtifact SpacyModelArtifact TensorflowSavedModelArtifact XgboostModelArtifact"
    )
    for name in names.split():
        with pytest.warns(DeprecationWarning, match="import it from bentoml.frameworks"):
            assert getattr(bentoml.artifact, name).__name__ == name


def test_the_fastai_names_mean_what_they_meant() -> None:
    from bentoml.frameworks.fastai import Fastai1ModelArtifact, FastaiModelArtifact

    with pytest.warns(DeprecationWarning, match="import Fastai1ModelArtifact from bentoml.frameworks.fastai"):
        assert bentoml.artifact.FastaiModelArtifact is Fastai1ModelArtifact
    with pytest.warns(DeprecationWarning, match="import FastaiModelArtifact from bentoml.frameworks.fastai"):
        assert bentoml.artifact.Fastai2ModelArtifact is FastaiModelArtifact


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(ImportError):
        from bentoml.artifact import NoSuchArtifact  # type: ignore[attr-defined] # noqa: F401
