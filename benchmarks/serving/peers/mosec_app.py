"""mosec: `python mosec_app.py lr 8000 WINDOW_MS MAX_BATCH`.

It reads sys.argv itself, so ours comes out first.
"""

import sys

workload, port, window_ms, max_batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.argv = [sys.argv[0], "--port", port, "--address", "127.0.0.1", "--path", "/tmp/mosec-" + port]

from models import train  # noqa: E402
from mosec import Server, Worker  # noqa: E402


class Iris(Worker):
    def __init__(self):
        super().__init__()
        self.model = train(workload)

    def forward(self, data):
        if max_batch == 1:
            return int(self.model.predict([data])[0])
        return self.model.predict(data).tolist()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Iris, num=1, max_batch_size=max_batch, max_wait_time=window_ms)
    server.run()
