"""BentoML 1.4 with a batchable endpoint, served by `bentoml serve bentoml_1_app:Iris`."""

import os

import numpy as np
from models import train

import bentoml


@bentoml.service(workers=2)
class Iris:
    def __init__(self):
        self.model = train(os.environ["PEER_WORKLOAD"])

    @bentoml.api(batchable=True, max_batch_size=1000, max_latency_ms=10000)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(rows)
