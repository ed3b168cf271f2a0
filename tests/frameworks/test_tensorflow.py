# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
tensorflow = pytest.importorskip("tensorflow")

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.frameworks.tensorflow import TensorflowSavedModelArtifact  # noqa: E402


class Doubler(tensorflow.Module):  # type: ignore[name-defined,misc]
    def __init__(self) -> None:
        super().__init__()
        self.factor = tensorflow.Variable(2.0)

    @tensorflow.function(input_signature=[tensorflow.TensorSpec([None], tensorflow.float32)])
    def predict(self, x: Any) -> Any:
        return x * self.factor


class TestModule(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.tensorflow:TensorflowSavedModelArtifact"
    SETUP = "import numpy"
    PROBE = "model.predict(numpy.array([1.5, 2.0], dtype='float32')).numpy().tolist()"
    FILES = {"my_model_saved_model/saved_model.pb", "my_model_saved_model/variables", "my_model.yml"}
    WRONG = ("no_such_folder", None, 3, {})
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"tensorflow"}

    def model(self) -> Any:
        return Doubler()


class TestKeras(TestModule):
    PROBE = "getattr(model, 'serve', model)(numpy.ones((2, 3), dtype='float32')).numpy().tolist()"

    def model(self) -> Any:
        tensorflow.keras.utils.set_random_seed(0)
        return tensorflow.keras.Sequential([tensorflow.keras.Input((3,)), tensorflow.keras.layers.Dense(2)])


def test_arguments_are_cast_to_the_traced_type() -> None:
    model = TensorflowSavedModelArtifact("m").pack(Doubler()).get()
    for x in ([1, 2], [1.5, 2.0], tensorflow.constant([1.5], tensorflow.float64)):
        assert model.predict(x).dtype == tensorflow.float32
    assert model.predict(x=[3]).numpy().tolist() == [6.0]


def test_a_folder_written_by_tensorflow_is_packed_and_copied(tmp_path: Path) -> None:
    tensorflow.saved_model.save(Doubler(), str(tmp_path / "given"))
    artifact = TensorflowSavedModelArtifact("m").pack(tmp_path / "given")
    (tmp_path / "out").mkdir()
    artifact.save(str(tmp_path / "out"))
    loaded = TensorflowSavedModelArtifact("m").load(str(tmp_path / "out")).get()
    assert loaded.predict([4.0]).numpy().tolist() == [8.0]


def test_signatures_are_kept() -> None:
    model = Doubler()
    artifact = TensorflowSavedModelArtifact("m").pack(model, signatures={"twice": model.predict})
    assert list(artifact.get().signatures) == ["twice"]
