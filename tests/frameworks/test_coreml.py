# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
coremltools = pytest.importorskip("coremltools")
from coremltools.converters.mil import Builder  # noqa: E402

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.frameworks.coreml import CoreMLModelArtifact  # noqa: E402


def program() -> Any:
    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 3))])  # type: ignore[untyped-decorator]
    def double(x: Any) -> Any:
        return Builder.mul(x=x, y=2.0)

    return double


class TestNeuralNetwork(ArtifactContract):
    """Predictions need macOS, so the descriptions are compared."""

    ARTIFACT = "bentoml.frameworks.coreml:CoreMLModelArtifact"
    PROBE = "str(model.get_spec())"
    FILES = {"my_model.mlmodel", "my_model.yml"}
    WRONG = ("model.mlmodel", None, 3)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"coremltools>=4.0b2"}

    def model(self) -> Any:
        return coremltools.convert(program(), convert_to="neuralnetwork")


def test_ml_programs_are_packages(tmp_path: Path) -> None:
    if coremltools.libmodelpackage is None:
        pytest.skip("this build of coremltools cannot write packages")
    model = coremltools.convert(program(), convert_to="mlprogram", skip_model_load=True)
    CoreMLModelArtifact("m").pack(model).save(str(tmp_path))
    assert (tmp_path / "m.mlpackage").is_dir()
    loaded = CoreMLModelArtifact("m").load(str(tmp_path)).get()
    assert str(loaded.get_spec().description) == str(model.get_spec().description)
