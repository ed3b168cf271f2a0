# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
keras = pytest.importorskip("keras")

from bentoml.exceptions import ArtifactLoadingException, InvalidArgument  # noqa: E402
from bentoml.frameworks.keras import KerasModelArtifact  # noqa: E402

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def network(*more: Any) -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu"), *more])


class Shift(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x + 1


class TestModel(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.keras:KerasModelArtifact"
    SETUP = "import numpy"
    PROBE = "model.predict(numpy.ones((2, 3)), verbose=0).tolist()"
    FILES = {"my_model.keras", "my_model_keras_module_name.txt", "my_model.yml"}
    WRONG = (None, {}, {"model": 3}, "model.keras", keras.layers.Dense(2))
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"keras", "tensorflow"}

    def model(self) -> Any:
        return network()


class TestJsonAndWeights(TestModel):
    OPTIONS = {"store_as_json_and_weights": True}
    FILES = {"my_model_json.json", "my_model.weights.h5", "my_model.yml"}


def outputs(model: Any) -> Any:
    import numpy as np

    return model.predict(np.ones((2, 3)), verbose=0).tolist()


@pytest.mark.parametrize("as_json", [False, True], ids=["keras", "json"])
def test_custom_objects_go_along(tmp_path: Path, as_json: bool) -> None:
    model = network(Shift())
    artifact = KerasModelArtifact("m", store_as_json_and_weights=as_json)
    artifact.pack({"model": model, "custom_objects": {"Shift": Shift}}).save(str(tmp_path))
    assert (tmp_path / "m_custom_objects.pkl").exists()
    loaded = KerasModelArtifact("m", store_as_json_and_weights=as_json).load(str(tmp_path)).get()
    assert outputs(loaded) == outputs(model)


def test_the_hdf5_file_of_0_13_is_read(tmp_path: Path) -> None:
    model = network()
    model.save(str(tmp_path / "m.h5"))
    (tmp_path / "m_keras_module_name.txt").write_text("tensorflow.keras")
    assert outputs(KerasModelArtifact("m").load(str(tmp_path)).get()) == outputs(model)


def test_a_lambda_is_refused_in_safe_mode(tmp_path: Path) -> None:
    model = network(keras.layers.Lambda(lambda x: x * 2))
    KerasModelArtifact("m").pack(model).save(str(tmp_path))
    with pytest.raises(ArtifactLoadingException, match=r"(?i)lambda"):
        KerasModelArtifact("m").load(str(tmp_path))
    assert outputs(KerasModelArtifact("m", safe_mode=False).load(str(tmp_path)).get()) == outputs(model)


def test_a_module_name_that_is_not_keras_is_refused(tmp_path: Path) -> None:
    KerasModelArtifact("m").pack(network()).save(str(tmp_path))
    (tmp_path / "m_keras_module_name.txt").write_text("os")
    with pytest.raises(InvalidArgument, match="names 'os'"):
        KerasModelArtifact("m").load(str(tmp_path))
