"""The classifier of the 0.13 quickstart: one table API, one micro-batched JSON API."""
import bentoml
from bentoml.adapters import DataframeInput, JsonInput
from bentoml.frameworks.sklearn import SklearnModelArtifact


@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([SklearnModelArtifact('model')])
class IrisClassifier(bentoml.BentoService):
    """Iris species from four measurements."""

    @bentoml.api(input=DataframeInput(), batch=True)
    def predict_df(self, df):
        """Predict the species of every row."""
        return self.artifacts.model.predict(df)

    @bentoml.api(
        input=JsonInput(), batch=True, mb_max_batch_size=1000, mb_max_latency=10000
    )
    def predict(self, rows):
        return [int(kind) for kind in self.artifacts.model.predict(rows)]

    @bentoml.api(input=JsonInput(), batch=False)
    def predict_proba(self, row):
        return self.artifacts.model.predict_proba([row]).round(4)[0]
