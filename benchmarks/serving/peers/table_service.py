"""Tables in, labels out, in the 0.13 API: `python table_service.py df-json DIRECTORY` writes the bundle."""

import sys

import bentoml
from bentoml.adapters import DataframeInput
from bentoml.frameworks.sklearn import SklearnModelArtifact


@bentoml.artifacts([SklearnModelArtifact("model")])
class Tables(bentoml.BentoService):
    @bentoml.api(input=DataframeInput(), batch=True, mb_max_batch_size=1000, mb_max_latency=10000)
    def predict(self, frame):
        return self.artifacts.model.predict(frame)


if __name__ == "__main__":
    from table_service import Tables as Importable
    from tables import train_on_tables

    service = Importable()
    service.pack("model", train_on_tables(sys.argv[1]))
    service.save_to_dir(sys.argv[2])
