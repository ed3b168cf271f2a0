# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.artifact_contract import ArtifactContract

pytestmark = pytest.mark.frameworks
mlflow = pytest.importorskip("mlflow")

from bentoml.exceptions import InvalidArgument, NotFound  # noqa: E402
from bentoml.frameworks.mlflow import MlflowModelArtifact  # noqa: E402
from bentoml.service.env import BentoServiceEnv  # noqa: E402


class TestPyfunc(ArtifactContract):
    ARTIFACT = "bentoml.frameworks.mlflow:MlflowModelArtifact"
    SETUP = (
        "import mlflow.pyfunc\n"
        "def predict(model):\n"
        "    model = mlflow.pyfunc.load_model(model) if isinstance(model, str) else model\n"
        "    return model.predict([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]).tolist()\n"
    )
    PROBE = "predict(model)"
    FILES = {"my_model/MLmodel", "my_model.yml"}
    WRONG = (3, None, {})
    WRONG_ERROR = InvalidArgument
    INFERRED_PIP = {"mlflow-skinny"}

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folder = tmp_path_factory.mktemp("mlflow")

    def model(self) -> Any:
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression

        target = self.folder / "model"
        if not target.exists():
            model = LogisticRegression(max_iter=200).fit(*load_iris(return_X_y=True))
            mlflow.sklearn.save_model(model, str(target), pip_requirements=["scikit-learn"])
        return str(target)

    def test_packages_of_the_model_are_added(self) -> None:
        artifact = MlflowModelArtifact("m").pack(self.model())
        env = BentoServiceEnv(infer_pip_packages=True)
        artifact.set_dependencies(env)
        names = {package.partition("==")[0] for package in env.requested_packages()}
        assert names >= {"mlflow-skinny", "scikit-learn"}

    def test_a_file_address_is_fetched(self) -> None:
        assert self.probe(MlflowModelArtifact("m").pack(Path(self.model()).as_uri()).get()) == self.probe(
            self.model()
        )


def test_a_folder_without_a_model_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file 'MLmodel'"):
        MlflowModelArtifact("m").pack(str(tmp_path))
