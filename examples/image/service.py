"""An image in, a digit out."""

import numpy as np
from PIL import Image

import bentoml
from bentoml.adapters import ImageInput
from bentoml.frameworks.sklearn import SklearnModelArtifact

SIDE = 8  # the model was trained on 8 x 8 grey pixels of 0 (black) … 16 (white)


@bentoml.env(infer_pip_packages=True)
@bentoml.artifacts([SklearnModelArtifact("model")])
class DigitReader(bentoml.BentoService):
    """Reads one handwritten digit, white on black, from an image of any size."""

    @bentoml.api(input=ImageInput(pilmode="L"), batch=True)
    def predict(self, images):
        """Each image is an array of height x width grey values of 0…255."""
        pixels = [
            np.asarray(Image.fromarray(np.asarray(i)).resize((SIDE, SIDE), Image.Resampling.BOX))
            for i in images
        ]
        rows = np.stack(pixels).reshape(len(pixels), SIDE * SIDE) * (16 / 255)
        return self.artifacts.model.predict(rows)
