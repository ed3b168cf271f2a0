"""FastAPI and pandas, two worker processes: `python fastapi_tables.py df-json 8000`."""

import io
import os
import sys
from typing import Annotated

import pandas
import uvicorn
from fastapi import Body, FastAPI
from tables import train_on_tables

app = FastAPI()
workload = os.environ.get("PEER_WORKLOAD") or sys.argv[1]
model = train_on_tables(workload)

if workload.endswith("csv"):

    @app.post("/predict")
    def predict(text: Annotated[bytes, Body(media_type="text/csv")]):
        return model.predict(pandas.read_csv(io.BytesIO(text))).tolist()

else:

    @app.post("/predict")
    def predict(records: Annotated[list[dict[str, float]], Body()]):
        return model.predict(pandas.DataFrame(records)).tolist()


if __name__ == "__main__":
    os.environ["PEER_WORKLOAD"] = sys.argv[1]
    uvicorn.run(
        "fastapi_tables:app",
        port=int(sys.argv[2]),
        workers=2,
        access_log=False,
        log_level="warning",
        timeout_worker_healthcheck=120,
    )
