"""What people write by hand: FastAPI around ``joblib.load``."""
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# (those packages are in the peer's environment only)

import os

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["BENCH_MODEL"])


class Rows(BaseModel):
    rows: list[list[float]]


@app.post("/predict")
def predict(request: Rows) -> dict[str, list[float]]:
    return {"predictions": model.predict(np.array(request.rows, dtype=np.float32)).tolist()}
