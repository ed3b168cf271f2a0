"""FastAPI on uvicorn with two worker processes: `python fastapi_app.py lr 8000`."""

import os
import sys
from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI
from models import train

app = FastAPI()
model = train(os.environ.get("PEER_WORKLOAD") or sys.argv[1])


@app.post("/predict")
def predict(row: Annotated[list[float], Body()]):
    return int(model.predict([row])[0])


if __name__ == "__main__":
    os.environ["PEER_WORKLOAD"] = sys.argv[1]
    uvicorn.run(
        "fastapi_app:app",
        port=int(sys.argv[2]),
        workers=2,
        access_log=False,
        log_level="warning",
        timeout_worker_healthcheck=120,  # one that loads its model for 5 s on a busy machine is no dead one
    )
