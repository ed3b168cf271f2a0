"""mosec: `python mosec_app.py lr 8000 WINDOW_MS MAX_BATCH`."""

import os
import sys

from models import train
from mosec import Server, Worker


class Iris(Worker):
    def __init__(self):
        super().__init__()
        self.model = train(os.environ["PEER_WORKLOAD"])

    def forward(self, data):
        """One row when the batch size is 1, a list of rows otherwise."""
        if isinstance(data[0], list):
            return self.model.predict(data).tolist()
        return int(self.model.predict([data])[0])


if __name__ == "__main__":
    os.environ["PEER_WORKLOAD"], port, window_ms, max_batch = sys.argv[1:5]
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", port]  # the server reads its own options there
    server = Server()
    server.append_worker(Iris, num=1, max_batch_size=int(max_batch), max_wait_time=int(window_ms))
    server.run()
