"""A JPEG in, its kind out: `python image_service.py cnn DIRECTORY` writes the bundle."""

import sys

import images

import bentoml
from bentoml.adapters import ImageInput
from bentoml.frameworks.pytorch import PytorchModelArtifact


@bentoml.artifacts([PytorchModelArtifact("model")])
class Pictures(bentoml.BentoService):
    @bentoml.api(input=ImageInput(), batch=True, mb_max_batch_size=1000, mb_max_latency=10000)
    def predict(self, pictures):
        return images.classify(self.artifacts.model, pictures)


if __name__ == "__main__":
    from image_service import Pictures as Importable

    service = Importable()
    service.pack("model", images.train_cnn())
    service.save_to_dir(sys.argv[2])
