# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.artifact_contract import ArtifactContract

lightgbm = pytest.importorskip("lightgbm")

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.frameworks.lightgbm import LightGBMModelArtifact  # noqa: E402

FEATURES = np.random.default_rng(0).normal(size=(80, 3))
LABELS = np.where(FEATURES.sum(axis=1) > 0, "yes", "no")
SMALL = {"n_estimators": 3, "num_leaves": 4, "verbose": -1, "num_threads": 1}


class TestBooster(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.lightgbm:LightGBMModelArtifact"
    PROBE = "model.predict([[1.0, 2.0, 3.0], [-1.0, 0.0, -3.0]]).tolist()"
    FILES = {"my_model.txt", "my_model.yml"}
    WRONG = (lightgbm.LGBMClassifier(), lightgbm.Booster, "model.txt", None)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"lightgbm"}

    def model(self) -> Any:
        data = lightgbm.Dataset(FEATURES, (LABELS == "yes").astype(int))
        return lightgbm.train({"objective": "binary", **SMALL}, data)


class TestClassifier(TestBooster):
    PROBE = "[model.predict([[1.0, 2.0, 3.0]]).tolist(), model.predict_proba([[1.0, 2.0, 3.0]]).tolist()]"
    FILES = {"my_model.pkl", "my_model.yml"}

    def model(self) -> Any:
        return lightgbm.LGBMClassifier(**SMALL).fit(FEATURES, LABELS)


def test_a_text_file_written_by_lightgbm_itself_is_read(tmp_path: Path) -> None:
    """0.13 called the same function."""
    model = TestBooster().model()
    model.save_model(str(tmp_path / "m.txt"))
    loaded = LightGBMModelArtifact("m").load(str(tmp_path)).get()
    assert loaded.predict(FEATURES).tolist() == model.predict(FEATURES).tolist()
