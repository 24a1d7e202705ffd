"""Functions of a repository as candidates: graphs, estimators, and everything else that such a function may return."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from onnx import TensorProto, helper

from gnomon.errors import ExportRefusedError, TrainingError
from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.loading import load_artifact
from gnomon.inference.signature import Signature
from gnomon.registry.pack import pack
from gnomon.stores.artifacts.memory import MemoryArtifactStore
from gnomon.training.user_steps import fit_user, refit_user
from tests.training.tables import RealTable, real_table

LINEAR = '''
import numpy as np
from onnx import TensorProto, helper

def fit(X, y, weight=0.5, seed=None):
    """One column times a weight, plus the rest of the mean: a graph over a raw column by its name."""
    assert X.columns[0] == "age" and X["bmi"].dtype.is_float() and seed is not None
    slope = weight * float(np.polyfit(X["bmi"].to_numpy(), y, 1)[0])
    rest = float(y.mean() - slope * X["bmi"].mean())
    nodes = [
        helper.make_node("Mul", ["bmi", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "rest"], ["prediction"], doc_string=__file__),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("bmi", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor("slope", TensorProto.FLOAT, [1], [slope]),
         helper.make_tensor("rest", TensorProto.FLOAT, [1], [rest])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
'''


def _arguments(table: RealTable, folder: Path, code: str, **more: Any) -> dict[str, Any]:
    (folder / "train.py").write_text(code)
    prepared = table.prepared()
    parts = prepared.parts
    candidate = {"algorithm": "python", "python": "train.py:fit", "params": more.pop("params", {})}
    return {
        "table": prepared.table,
        "train": parts.train,
        "validation": parts.validation,
        "facts": msgspec.to_builtins(prepared.facts),
        "candidate": candidate,
        "code": "c" * 64,
        "checkout": str(folder),
        "name": "ours",
        **more,
    }


def _refitted(arguments: dict[str, Any], table: RealTable) -> dict[str, Any]:
    return refit_user(**arguments, test=table.prepared().parts.test)


@pytest.mark.parametrize("shape", ['["N"]', '["N", 1]'])
def test_a_graph_over_columns_by_name_becomes_an_artifact(tmp_path: Path, shape: str) -> None:
    table = real_table("diabetes")
    arguments = _arguments(table, tmp_path, LINEAR.replace("SHAPE", shape), params={"weight": 1.0})
    report = fit_user(**arguments)["report"]
    assert report["metrics"]["r2"] > 0.2
    assert report["parity"]["verdict"] == "exact"
    made = _refitted(arguments, table)
    assert str(tmp_path).encode() not in made["model"]
    assert made["model"] == _refitted(arguments, table)["model"]
    store = MemoryArtifactStore()
    signature, golden = msgspec.convert(made["signature"], Signature), msgspec.convert(made["golden"], GoldenRows)
    digest = pack(store, ArtifactConfig("default/m", signature), made["model"], golden)
    assert load_artifact(store, digest).config.libraries == {}


CLASSES = '''
import numpy as np
from onnx import TensorProto, helper, numpy_helper

def fit(X, y, classes):
    """The share of each class, over the artifact's own matrix."""
    assert classes == ["0", "1", "2"] and y.dtype == np.int64
    shares = np.bincount(y, minlength=3).astype(np.float32) / len(y)
    nodes = [
        helper.make_node("ReduceSum", ["floats", "axis"], ["sums"], keepdims=1),
        helper.make_node("Mul", ["sums", "nothing"], ["zeros"]),
        helper.make_node("IsNaN", ["zeros"], ["missing"]),
        helper.make_node("Where", ["missing", "nothing", "nothing"], ["clean"]),
        helper.make_node("Add", ["clean", "shares"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(np.array([1]), "axis"), numpy_helper.from_array(np.zeros(1, np.float32), "nothing"),
        numpy_helper.from_array(shares[np.newaxis], "shares"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("floats", TensorProto.FLOAT, ["N", 13])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
         helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])], constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
'''


def test_a_graph_over_whole_matrices_answers_for_classes(tmp_path: Path) -> None:
    table = real_table("wine")
    made = _refitted(_arguments(table, tmp_path, CLASSES), table)
    assert set(made["golden"]["prediction"]) == {"1"}
    assert made["golden"]["probabilities"][0][1] == pytest.approx(0.4, abs=0.05)


ESTIMATOR = """
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

def fit(X, y, C=1.0):
    numbers = [name for name, kind in X.schema.items() if kind.is_numeric()]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers), (OneHotEncoder(handle_unknown="ignore"), ["island", "sex"])
    )
    return make_pipeline(columns, LogisticRegression(C=C, max_iter=1000)).fit(X, y)
"""


def test_an_estimator_is_judged_and_packed_as_it_will_serve(tmp_path: Path) -> None:
    table = real_table("species")
    arguments = _arguments(table, tmp_path, ESTIMATOR, params={"C": 3.0}, runtime="python")
    report = fit_user(**arguments)["report"]
    assert report["metrics"]["accuracy"] > 0.95
    assert report["parity"]["verdict"] == "exact"
    made = _refitted(arguments, table)
    assert made["report"]["libraries"]["scikit-learn"]
    store = MemoryArtifactStore()
    signature, golden = msgspec.convert(made["signature"], Signature), msgspec.convert(made["golden"], GoldenRows)
    digest = pack(store, ArtifactConfig("default/m", signature, made["report"]["libraries"]), made["model"], golden)
    loaded = load_artifact(store, digest)
    assert loaded.config.libraries == made["report"]["libraries"]
    loaded.predictor.close()  # type: ignore[attr-defined]  # it is a worker's


@pytest.mark.parametrize(
    ("body", "cause", "mend"),
    [
        ("return None", "returned a NoneType", "ONNX model"),
        ("return b'no model'", "that are no ONNX model", "SerializeToString"),
        (
            "from sklearn.dummy import DummyRegressor\n    return DummyRegressor().fit(X, y)",
            "served as a graph",
            "runtime: python",
        ),
    ],
)
def test_what_cannot_serve_is_told(tmp_path: Path, body: str, cause: str, mend: str) -> None:
    with pytest.raises(TrainingError) as refused:
        fit_user(**_arguments(real_table("diabetes"), tmp_path, f"def fit(X, y):\n    {body}\n"))
    assert cause in refused.value.cause
    assert mend in refused.value.mend


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (
            "from sklearn.linear_model import RidgeClassifier\n    return RidgeClassifier().fit(X.to_numpy(), y)",
            "knows no prob",
        ),
        ("class Own:\n        predict = predict_proba = lambda self, X: 1\n    return Own()", "holds train.Own"),
    ],
)
def test_estimators_that_cannot_be_kept_are_told(tmp_path: Path, body: str, cause: str) -> None:
    with pytest.raises(TrainingError) as refused:
        fit_user(**_arguments(real_table("wine"), tmp_path, f"def fit(X, y):\n    {body}\n", runtime="python"))
    assert cause in refused.value.cause


def test_parameters_that_the_function_does_not_take_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="unexpected keyword argument 'depth'"):
        fit_user(**_arguments(real_table("diabetes"), tmp_path, "def fit(X, y): return 1", params={"depth": 3}))


def _identity(name: str, kind: int, shape: list[Any], output: str = "prediction", opset: int = 17) -> str:
    """Return code that returns a graph which hands one input on."""
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", [name], [output])],
            "g",
            [helper.make_tensor_value_info(name, kind, shape)],
            [helper.make_tensor_value_info(output, kind, shape)],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    return f"def fit(X, y): return {model.SerializeToString()!r}"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (_identity("weight", TensorProto.FLOAT, ["N"]), 'takes "weight", which is no column'),
        (_identity("bmi", TensorProto.STRING, ["N"]), 'takes "bmi" as string, and the column is a float'),
        (_identity("bmi", TensorProto.INT64, ["N"]), "of which 0 are numbers"),
        (_identity("bmi", TensorProto.FLOAT, ["N"], opset=11), "uses opset 11"),
        (_identity("strings", TensorProto.STRING, ["N", 1]), 'takes "strings"'),
    ],
)
def test_a_graph_that_does_not_fit_is_told(tmp_path: Path, code: str, cause: str) -> None:
    with pytest.raises(TrainingError) as refused:
        fit_user(**_arguments(real_table("diabetes"), tmp_path, code))
    assert cause in refused.value.cause


def test_a_graph_whose_answer_to_a_row_depends_on_its_neighbours_is_refused(tmp_path: Path) -> None:
    code = LINEAR.replace("SHAPE", '["N"]').replace(
        'helper.make_node("Mul", ["bmi", "slope"], ["scaled"])',
        'helper.make_node("CumSum", ["bmi", "first"], ["summed"]), helper.make_node("Mul", ["summed", "slope"], ["scaled"])',
    )
    code = code.replace(
        '[helper.make_tensor("slope"', '[helper.make_tensor("first", TensorProto.INT64, [], [0]), helper.make_tensor("slope"'
    )
    with pytest.raises(ExportRefusedError, match="otherwise when they are asked alone"):
        fit_user(**_arguments(real_table("diabetes"), tmp_path, code))


def test_a_graph_that_leaves_missing_values_missing_is_taken(tmp_path: Path) -> None:
    report = fit_user(**_arguments(real_table("diabetes"), tmp_path, _identity("bmi", TensorProto.FLOAT, ["N"])))["report"]
    assert report["parity"]["verdict"] == "exact"


def test_seed_and_classes_are_given_to_those_who_ask_and_rows_are_numbers(tmp_path: Path) -> None:
    code = """
import numpy as np
def fit(X, y, *, seed, classes):
    raise LookupError(f"{seed} {classes} {y.dtype} {len(X)} {np.unique(y).tolist()}")
"""
    with pytest.raises(LookupError, match=r"7 \['0', '1', '2'\] int64 \d+ \[0, 1, 2\]"):
        fit_user(**_arguments(real_table("wine"), tmp_path, code))
