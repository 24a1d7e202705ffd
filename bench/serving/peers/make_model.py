"""Trains and exports the model; runs in a peer's environment: ``make_model.py FOLDER``."""
# mypy: disable-error-code="import-not-found, import-untyped, no-untyped-call"
# (those packages are in the peer's environment only)

import json
import sys
from pathlib import Path

import joblib
import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

folder = Path(sys.argv[1])
data = load_diabetes()
model = GradientBoostingRegressor(n_estimators=100, max_depth=3, random_state=0).fit(data.data, data.target)
joblib.dump(model, folder / "model.joblib")
exported = to_onnx(model, initial_types=[("floats", FloatTensorType([None, 10]))], target_opset=17)
(folder / "model.onnx").write_bytes(exported.SerializeToString())
rows = np.round(data.data[:32], 6).astype(np.float32).astype(float)
told = {
    "names": list(data.feature_names),
    "rows": [[round(value, 6) for value in row] for row in rows.tolist()],
    "answers": model.predict(rows).tolist(),
}
(folder / "rows.json").write_text(json.dumps(told))
