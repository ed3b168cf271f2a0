"""A runtime for MLServer that answers iris rows of the V2 protocol; `bench` writes its settings files."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
from models import train


class Iris(MLModel):
    async def load(self):
        self.model = train(self.settings.parameters.extra["workload"])
        return True

    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("predict", self.model.predict(rows).reshape(-1, 1))
        return InferenceResponse(model_name=self.name, outputs=[output])
