"""The strongest server that people write by hand: FastAPI around ONNX Runtime, without a thread pool in between."""
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# (those packages are in the peer's environment only)

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]]


@app.post("/predict")
async def predict(request: Rows) -> dict[str, list[float]]:
    answers = session.run(None, {"floats": np.array(request.rows, dtype=np.float32)})
    return {"predictions": answers[0].ravel().tolist()}
