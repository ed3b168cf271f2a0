"""LitServe with batching: `python litserve_app.py lr 8000 WINDOW_MS`."""

import sys

import litserve
from models import train


class Iris(litserve.LitAPI):
    def setup(self, device):
        self.model = train(sys.argv[1])

    def decode_request(self, request):
        return request

    def batch(self, inputs):
        return inputs

    def predict(self, rows):
        return self.model.predict(rows).tolist()

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    api = Iris(max_batch_size=256, batch_timeout=int(sys.argv[3]) / 1000)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60).run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
