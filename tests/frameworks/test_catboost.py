# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
catboost = pytest.importorskip("catboost")

from bentoml.exceptions import InvalidArgument  # noqa: E402

FEATURES = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.where(FEATURES.sum(axis=1) > 0, "yes", "no")
SMALL = {"iterations": 3, "depth": 2, "verbose": False, "allow_writing_files": False}


class TestClassifier(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.catboost:CatBoostModelArtifact"
    PROBE = (
        "[type(model).__name__, model.predict([[1.0, 2.0, 3.0]]).tolist(), "
        "model.predict_proba([[1.0, 2.0, 3.0], [-1.0, 0.0, -3.0]]).tolist()]"
    )
    FILES = {"my_model.cbm", "my_model_class.json", "my_model.yml"}
    WRONG = (catboost.CatBoostClassifier(), catboost.CatBoost, "model.cbm", None)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"catboost"}

    def model(self) -> Any:
        return catboost.CatBoostClassifier(**SMALL).fit(FEATURES, LABELS)


class TestRegressor(TestClassifier):
    PROBE = "[type(model).__name__, model.predict([[1.0, 2.0, 3.0], [-1.0, 0.0, -3.0]]).tolist()]"

    def model(self) -> Any:
        return catboost.CatBoostRegressor(**SMALL).fit(FEATURES, FEATURES.sum(axis=1))
