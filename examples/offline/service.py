"""Digits as rows of 64 brightnesses; the same service answers requests and scores files."""

import bentoml
from bentoml.adapters import DataframeInput
from bentoml.frameworks.sklearn import SklearnModelArtifact

PIXELS = [f"pixel_{number}" for number in range(64)]


@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([SklearnModelArtifact("model")])
class DigitScorer(bentoml.BentoService):
    """Reads handwritten digits of 8 x 8 pixels."""

    @bentoml.api(
        input=DataframeInput(columns=PIXELS, dtype=dict.fromkeys(PIXELS, "float64")),
        batch=True,
    )
    def predict(self, pixels):
        """One digit a row, with one column for each pixel; the answer is one number a row."""
        return self.artifacts.model.predict(pixels)
