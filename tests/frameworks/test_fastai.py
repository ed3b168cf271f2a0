# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract
from contracts.torchvision_cpu import import_torchvision

pytestmark = pytest.mark.frameworks
import_torchvision()
basics = pytest.importorskip("fastai.basics")
tabular = pytest.importorskip("fastai.tabular.all")
import pandas as pd  # noqa: E402

from bentoml.exceptions import InvalidArgument  # noqa: E402


class TestLearner(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.fastai:FastaiModelArtifact"
    SETUP = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from contracts.torchvision_cpu import import_torchvision
import_torchvision()
import pandas
row = pandas.DataFrame({{"a": [3.0], "b": [1.0]}}).iloc[0]
def predict(model):
    with model.no_bar():
        return [round(float(value), 5) for value in model.predict(row)[2]]
"""
    PROBE = "predict(model)"
    FILES = {"my_model.pkl", "my_model.yml"}
    WRONG = ("model.pkl", None, basics.Learner)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"torch", "fastcore", "fastai>=2.0.0"}

    def model(self) -> Any:
        basics.set_seed(0)
        frame = pd.DataFrame({"a": [float(i) for i in range(20)], "b": [1.0, 2.0] * 10})
        frame["y"] = frame["a"] * 2
        loaders = tabular.TabularDataLoaders.from_df(
            frame, path=".", procs=[tabular.Normalize], cont_names=["a", "b"], y_names="y", bs=4
        )
        return tabular.tabular_learner(loaders, layers=[4], y_range=(0, 40))
