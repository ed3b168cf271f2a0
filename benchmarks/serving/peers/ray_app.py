"""Ray Serve with @serve.batch: `python ray_app.py lr 8000`."""

import signal
import sys

import ray
from models import train
from ray import serve


@serve.deployment(max_ongoing_requests=1024)
class Iris:
    def __init__(self, workload):
        self.model = train(workload)

    @serve.batch(max_batch_size=256, batch_wait_timeout_s=0.005)
    async def predict(self, rows):
        return self.model.predict(rows).tolist()

    async def __call__(self, request):
        return await self.predict(await request.json())


if __name__ == "__main__":
    ray.init("local", num_cpus=2, include_dashboard=False, logging_level="warning")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Iris.bind(sys.argv[1]), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
