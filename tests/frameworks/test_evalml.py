# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(900)]
evalml = pytest.importorskip("evalml")
import pandas as pd  # noqa: E402
from evalml.pipelines import BinaryClassificationPipeline  # noqa: E402

from bentoml.exceptions import InvalidArgument  # noqa: E402


class TestPipeline(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.evalml:EvalMLModelArtifact"
    SETUP = "import pandas\nrows = pandas.DataFrame({'a': [1.0, 9.0], 'b': [2.0, None]})"
    PROBE = "[model.predict(rows).tolist(), model.predict_proba(rows).values.tolist()]"
    FILES = {"my_model.pkl", "my_model.yml"}
    WRONG = ("model.pkl", None, BinaryClassificationPipeline)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"evalml"}

    def model(self) -> Any:
        features = pd.DataFrame({"a": [float(i) for i in range(40)], "b": [1.0, 2.0, None, 4.0] * 10})
        pipeline = BinaryClassificationPipeline(["Imputer", "Decision Tree Classifier"], random_seed=0)
        return pipeline.fit(features, pd.Series([0, 1] * 20))
