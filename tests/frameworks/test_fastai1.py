# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
train = pytest.importorskip("fastai.basic_train")
tabular = pytest.importorskip("fastai.tabular")
import pandas as pd  # noqa: E402

from bentoml.exceptions import InvalidArgument  # noqa: E402


class TestLearner(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.fastai:Fastai1ModelArtifact"
    SETUP = """
import pandas
row = pandas.DataFrame({"a": [0.25], "b": [0.5]}).iloc[0]
"""
    PROBE = "[round(float(value), 5) for value in model.predict(row)[2]]"
    FILES = {"my_model.pkl", "my_model.yml"}
    WRONG = ("model.pkl", None, train.Learner)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"torch", "fastai<2.0.0"}

    def model(self) -> Any:
        frame = pd.DataFrame({"a": [i / 20 for i in range(20)], "b": [0.25, 0.75] * 10})
        frame["y"] = (frame["a"] > 0.5).astype(int)
        items = tabular.TabularList.from_df(frame, path=".", cat_names=[], cont_names=["a", "b"], procs=[])
        data = items.split_by_idx(list(range(5))).label_from_df(cols="y").databunch(bs=4, num_workers=0)
        return tabular.tabular_learner(data, layers=[4], emb_szs={})
