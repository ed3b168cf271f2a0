# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
xgboost = pytest.importorskip("xgboost")

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.frameworks.xgboost import XgboostModelArtifact  # noqa: E402

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(60, 3))
LABELS = (FEATURES.sum(axis=1) > 0).astype(int)


def booster() -> Any:
    return xgboost.train(
        {"max_depth": 2, "objective": "binary:logistic"}, xgboost.DMatrix(FEATURES, LABELS), 3
    )


class TestBooster(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.xgboost:XgboostModelArtifact"
    SETUP = "import numpy, xgboost"
    PROBE = "model.predict(xgboost.DMatrix(numpy.array([[1.0, 2.0, 3.0], [-1.0, 0.0, -3.0]]))).tolist()"
    FILES = {"my_model.ubj", "my_model.yml"}
    WRONG = (xgboost.XGBClassifier(), xgboost.XGBClassifier, "model.ubj", None, {})
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"xgboost"}

    def model(self) -> Any:
        return booster()


class TestBoosterAsJson(TestBooster):
    OPTIONS = {"file_format": "json"}
    FILES = {"my_model.json", "my_model.yml"}


class TestClassifier(TestBooster):
    PROBE = (
        "[type(model).__name__, model.get_params()['max_depth'], model.predict([[1.0, 2.0, 3.0]]).tolist(), "
        "model.predict_proba(numpy.array([[1.0, 2.0, 3.0], [-1.0, 0.0, -3.0]])).tolist()]"
    )
    FILES = {"my_model.ubj", "my_model_class.json", "my_model.yml"}

    def model(self) -> Any:
        return xgboost.XGBClassifier(n_estimators=3, max_depth=2).fit(FEATURES, LABELS)


class TestRegressor(TestBooster):
    PROBE = "model.predict(numpy.array([[1.0, 2.0, 3.0], [-1.0, 0.0, -3.0]])).tolist()"

    def model(self) -> Any:
        return xgboost.XGBRegressor(n_estimators=3).fit(FEATURES, LABELS)


def test_categories_are_taken_after_loading(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"c": pandas.Categorical(["a", "b", "c", "a"] * 10), "x": np.arange(40.0)})
    model = xgboost.XGBRegressor(n_estimators=3, enable_categorical=True).fit(table, np.arange(40) % 4)
    XgboostModelArtifact("m").pack(model).save(str(tmp_path))
    loaded = XgboostModelArtifact("m").load(str(tmp_path)).get()
    assert loaded.predict(table).tolist() == model.predict(table).tolist()


@pytest.mark.parametrize("raw_format", ["ubj", "json"])
def test_the_file_of_0_13_is_read(tmp_path: Path, raw_format: str) -> None:
    """Later XGBoost versions wrote UBJSON or JSON into a file of that name."""
    model = booster()
    (tmp_path / "m.model").write_bytes(bytes(model.save_raw(raw_format)))
    data = xgboost.DMatrix(FEATURES)
    assert (
        XgboostModelArtifact("m").load(str(tmp_path)).get().predict(data).tolist()
        == model.predict(data).tolist()
    )


def test_json_is_text_and_another_format_is_refused(tmp_path: Path) -> None:
    XgboostModelArtifact("m", file_format="json").pack(booster()).save(str(tmp_path))
    assert "learner" in json.loads((tmp_path / "m.json").read_text())
    with pytest.raises(InvalidArgument, match="'ubj' or 'json', not 'bin'"):
        XgboostModelArtifact("m", file_format="bin")  # type: ignore[arg-type]
