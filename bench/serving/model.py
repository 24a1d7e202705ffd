"""The one model that all servers serve: scikit-learn's gradient boosting, trained in a peer's environment, packed for ours."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gnomon.inference.artifact import (
    ARTIFACT_TYPE,
    CONFIG_MEDIA_TYPE,
    DOC_MEDIA_TYPE,
    GOLDEN_FILE,
    MODEL_FILE,
    WEIGHT_MEDIA_TYPE,
    ArtifactConfig,
)
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import InputColumn, Output, Signature
from gnomon.serving.routes import ROUTES_FILE, Route, RouteTable, Target, write_routes
from gnomon.stores.artifacts.interface import Layer
from gnomon.stores.artifacts.layout import OciLayout

_MAKER = Path(__file__).parent / "peers" / "make_model.py"


@dataclass(frozen=True)
class SharedModel:
    """``joblib`` and ``onnx`` files, and rows with what scikit-learn answers to them."""

    joblib: Path
    onnx: Path
    names: list[str]
    rows: list[list[float]]
    answers: list[float]


def shared_model(python: Path, workdir: Path) -> SharedModel:
    """Train the model with the peer's ``python``."""
    folder = workdir / "model"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(python), str(_MAKER), str(folder)], check=True, capture_output=True)
    told = json.loads((folder / "rows.json").read_text())
    return SharedModel(folder / "model.joblib", folder / "model.onnx", told["names"], told["rows"], told["answers"])


def route_model(model: SharedModel, home: Path, layout: Path) -> None:
    """Pack the model as an artifact and let service ``m`` lead to it."""
    signature = Signature(
        task="regression",
        target="y",
        inputs=tuple(InputColumn(name, "float", "floats", index) for index, name in enumerate(model.names)),
        outputs=(Output("prediction", "FP32"),),
    )
    columns: dict[str, list[float | int | bool | str | None]] = {
        name: [row[index] for row in model.rows] for index, name in enumerate(model.names)
    }
    golden = GoldenRows(columns, list(model.answers), rtol=1e-3)
    digest = OciLayout(layout).push(
        ARTIFACT_TYPE,
        Layer(CONFIG_MEDIA_TYPE, "config.json", msgspec.json.encode(ArtifactConfig("m", signature))),
        [
            Layer(WEIGHT_MEDIA_TYPE, MODEL_FILE, _renamed(model.onnx)),
            Layer(DOC_MEDIA_TYPE, GOLDEN_FILE, msgspec.json.encode(golden)),
        ],
    )
    write_routes(home / ROUTES_FILE, RouteTable(1, {"m": Route("bench", Target("1", digest))}))


def _renamed(path: Path) -> bytes:
    """Return the model with the output that a signature asks for: ``prediction`` [N] instead of [N, 1]."""
    loaded = onnx.load(path)
    graph = loaded.graph
    graph.initializer.append(numpy_helper.from_array(np.array([-1], dtype="int64"), "rows"))
    graph.node.append(helper.make_node("Reshape", [graph.output[0].name, "rows"], ["prediction"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["N"]))
    content: bytes = loaded.SerializeToString()
    return content
