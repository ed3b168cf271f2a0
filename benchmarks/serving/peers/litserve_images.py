"""LitServe with batching for pictures: `python litserve_images.py cnn 8000 WINDOW_MS`."""

import sys

import images
import litserve
from fastapi import Request


class Pictures(litserve.LitAPI):
    def setup(self, device):
        self.model = images.train_cnn()

    def decode_request(self, request: Request):
        return images.decode(request["image"].file.read())

    def batch(self, inputs):
        return inputs

    def predict(self, pictures):
        return images.classify(self.model, pictures)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    api = Pictures(max_batch_size=64, batch_timeout=int(sys.argv[3]) / 1000)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60).run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
