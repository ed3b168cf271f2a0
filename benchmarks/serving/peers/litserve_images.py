"""LitServe with batching for pictures: `python litserve_images.py cnn 8000 WINDOW_MS BATCH WORKERS`."""

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
    port, window_ms, batch, workers = map(int, sys.argv[2:6])
    api = Pictures(max_batch_size=batch, batch_timeout=window_ms / 1000)
    litserve.LitServer(api, accelerator="cpu", workers_per_device=workers, timeout=60).run(
        host="127.0.0.1",
        port=port,
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
