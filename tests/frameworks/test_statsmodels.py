# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from contracts.artifact_contract import ArtifactContract

pytest.importorskip("statsmodels")
import statsmodels.api as sm
from statsmodels.tsa.api import ExponentialSmoothing

from bentoml.exceptions import InvalidArgument

X = sm.add_constant(np.arange(20.0))
Y = np.arange(20.0) * 2 + np.sin(np.arange(20))


class TestRegression(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.statsmodels:StatsmodelsModelArtifact"
    PROBE = "model.predict([[1.0, 21.0], [1.0, 3.0]]).tolist()"
    FILES = {"my_model.pkl", "my_model.yml"}
    WRONG = (sm.OLS(Y, X), "model.pkl", None)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"statsmodels"}

    def model(self) -> Any:
        return sm.OLS(Y, X).fit()


class TestWithoutData(TestRegression):
    OPTIONS = {"remove_data": True}


class TestForecast(TestRegression):
    PROBE = "model.forecast(3).tolist()"

    def model(self) -> Any:
        return ExponentialSmoothing(Y, trend="add").fit()
