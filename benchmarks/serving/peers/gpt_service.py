"""Tokens in, the 50 that follow out: `python gpt_service.py gpt DIRECTORY` writes the bundle."""

import sys

import gpt

import bentoml
from bentoml.adapters import JsonInput
from bentoml.frameworks.pytorch import PytorchModelArtifact


@bentoml.artifacts([PytorchModelArtifact("model")])
class Writer(bentoml.BentoService):
    @bentoml.api(input=JsonInput(), batch=False, mb_max_latency=600000)
    def predict(self, tokens):
        return gpt.continue_text(self.artifacts.model, tokens)


if __name__ == "__main__":
    from gpt_service import Writer as Importable

    service = Importable()
    service.pack("model", gpt.make_model())
    service.save_to_dir(sys.argv[2])
