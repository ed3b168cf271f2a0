# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
h2o = pytest.importorskip("h2o")
from h2o.estimators import H2OGradientBoostingEstimator  # noqa: E402

from bentoml.exceptions import InvalidArgument  # noqa: E402
from bentoml.service.env import BentoServiceEnv  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    h2o.init(nthreads=1, max_mem_size="1G")
    h2o.no_progress()
    yield
    h2o.cluster().shutdown()


class TestModel(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.h2o:H2oModelArtifact"
    SETUP = (
        "import h2o, re\n"
        "def predict(model):\n"
        "    h2o.no_progress()\n"
        "    rows = model.predict(h2o.H2OFrame([[1.0, 2.0], [7.0, 1.0]], column_names=['a', 'b']))\n"
        "    return rows.as_data_frame(use_multi_thread=False).values.tolist()\n"
    )
    PROBE = "predict(model)"
    FILES = {"my_model", "my_model.yml"}
    WRONG = ("model", None, 3)
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"h2o"}

    def model(self) -> Any:
        frame = h2o.H2OFrame(
            [[float(i), float(i % 3), float(i * 2)] for i in range(60)], column_names=["a", "b", "y"]
        )
        model = H2OGradientBoostingEstimator(ntrees=3, seed=1, min_rows=2)
        model.train(x=["a", "b"], y="y", training_frame=frame)
        return model

    def test_java_is_asked_for(self) -> None:
        env = BentoServiceEnv()
        self.make().set_dependencies(env)
        assert env.conda_dependencies == ["openjdk"]
