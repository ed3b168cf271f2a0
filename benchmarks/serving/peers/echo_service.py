"""Bytes in, the same bytes out: `python echo_service.py bin DIRECTORY` writes the bundle."""

import sys

import bentoml
from bentoml.adapters import FileInput
from bentoml.types import InferenceResult


class Echo(bentoml.BentoService):
    @bentoml.api(input=FileInput(), batch=True, mb_max_batch_size=1000, mb_max_latency=10000)
    def predict(self, files):
        return [InferenceResult(data=file.read(), http_status=200) for file in files]


if __name__ == "__main__":
    from echo_service import Echo as Importable

    Importable().save_to_dir(sys.argv[2])
