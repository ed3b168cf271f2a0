"""The service of the 0.13 API, which this project and BentoML 0.13.1 both run.

`python bentoml_service.py lr DIRECTORY` writes its bundle into the empty directory.
"""

import sys

import bentoml
from bentoml.adapters import JsonInput
from bentoml.frameworks.sklearn import SklearnModelArtifact


@bentoml.artifacts([SklearnModelArtifact("model")])
class Iris(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=True, mb_max_batch_size=1000, mb_max_latency=10000)
    def predict(self, rows):
        return self.artifacts.model.predict(rows)


if __name__ == "__main__":
    from bentoml_service import Iris as Importable  # not __main__.Iris, which no bundle could find again
    from models import train

    service = Importable()
    service.pack("model", train(sys.argv[1]))
    service.save_to_dir(sys.argv[2])
