"""A classifier with two APIs: a table in, labels out; and one flower in, one answer out."""

import pandas as pd

import bentoml
from bentoml.adapters import DataframeInput, JsonInput
from bentoml.frameworks.sklearn import SklearnModelArtifact

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
SPECIES = ["setosa", "versicolor", "virginica"]


@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([SklearnModelArtifact("model")])
class IrisClassifier(bentoml.BentoService):
    """Tells three species of iris apart by four measures in centimetres."""

    @bentoml.api(
        input=DataframeInput(
            columns=FEATURES,
            dtype=dict.fromkeys(FEATURES, "float64"),
            http_input_example=[dict(zip(FEATURES, [5.1, 3.5, 1.4, 0.2], strict=True))],
        ),
        batch=True,
    )
    def predict(self, frame):
        """A table with one flower a row; the answer is one class number a row."""
        return self.artifacts.model.predict(frame)

    @bentoml.api(
        input=JsonInput(http_input_example=dict(zip(FEATURES, [5.1, 3.5, 1.4, 0.2], strict=True))),
        batch=True,
        mb_max_batch_size=1000,
        mb_max_latency=10000,
    )
    def classify(self, flowers):
        """One flower as a JSON object; requests that wait together share one call of the model."""
        frame = pd.DataFrame(flowers, columns=FEATURES, dtype="float64")
        probabilities = self.artifacts.model.predict_proba(frame)
        return [
            {"species": SPECIES[row.argmax()], "probability": round(float(row.max()), 4)}
            for row in probabilities
        ]
