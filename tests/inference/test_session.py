from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from gnomon.errors import ArtifactError
from gnomon.inference.encoding import encode_columns
from gnomon.inference.session import ROWS_AT_ONCE, Cancellation, Predictor, make_session
from tests.artifacts import CLASSIFICATION, REGRESSION, classification_model, regression_model


def test_outputs_come_by_name_in_the_order_of_the_signature() -> None:
    feed = encode_columns(CLASSIFICATION, {"late": [True, False], "at": [None, 0], "city": ["", None]})
    answers = Predictor(classification_model(), CLASSIFICATION).predict(feed)
    assert list(answers) == ["prediction", "probabilities"]
    assert answers["prediction"].tolist() == ["yes", "no"]
    assert answers["probabilities"].shape == (2, 2)


def test_bytes_and_file_give_the_same_answers(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(regression_model(3.0))
    feed = encode_columns(REGRESSION, {"x": [2.0], "count": [None]})
    for model in (path, path.read_bytes()):
        assert Predictor(model, REGRESSION).predict(feed)["prediction"].tolist() == [6.0]


def test_a_session_starts_no_threads() -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = threads()
    sessions = [make_session(regression_model(1.0)) for _ in range(4)]
    assert threads() == before
    assert len(sessions) == 4


@pytest.mark.parametrize("location", ["weights.bin", "./weights.bin", "../weights.bin", "/dev/zero"])
def test_a_model_reads_no_file_besides_itself(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.ones(1, dtype=np.float32).tofile(tmp_path / "weights.bin")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below" if location.startswith("..") else tmp_path)
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = weight.external_data.add()
    entry.key, entry.value = "location", location
    graph = helper.make_graph(
        [helper.make_node("Mul", ["floats", "weight"], ["prediction"])],
        "external",
        [helper.make_tensor_value_info("floats", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["N", 1])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    with pytest.raises(ArtifactError, match=r"cannot load the model.*[Ee]xternal data"):
        make_session(model.SerializeToString())


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for model in (b"", b"no model", regression_model(1.0)[:-20]):
        with pytest.raises(ArtifactError, match="cannot load the model"):
            make_session(model)
    with pytest.raises(ArtifactError, match="cannot be read"):
        make_session(tmp_path / "absent.onnx")


def test_a_model_with_another_signature_is_refused() -> None:
    with pytest.raises(ArtifactError, match="the signature says"):
        Predictor(regression_model(1.0), CLASSIFICATION)


def test_rows_that_the_model_fails_on_raise_our_error() -> None:
    with pytest.raises(ArtifactError, match="failed on these rows"):
        Predictor(regression_model(1.0), REGRESSION).predict({"floats": np.ones((1, 7), dtype=np.float64)})


def test_a_cancelled_prediction_ends_with_our_error() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    feed = encode_columns(REGRESSION, {"x": [1.0], "count": [1]})
    with pytest.raises(ArtifactError, match="failed on these rows"):
        Predictor(regression_model(1.0), REGRESSION).predict(feed, cancellation)


def test_many_rows_are_answered_in_parts_of_bounded_size_and_in_their_order() -> None:
    count = helper.make_node("ReduceSum", ["ones"], ["rows"], keepdims=1)
    nodes = [
        helper.make_node("Sub", ["floats", "floats"], ["zeros"]),
        helper.make_node("Exp", ["zeros"], ["ones"]),
        count,
        helper.make_node("Mul", ["ones", "rows"], ["sizes"]),
        helper.make_node("Concat", ["floats", "sizes"], ["prediction"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "sizes",
        [helper.make_tensor_value_info("floats", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["N", 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    rows = 2 * ROWS_AT_ONCE + 3
    feed = {"floats": np.arange(2 * rows, dtype=np.float32).reshape(-1, 2)}
    answers = Predictor(model.SerializeToString(), REGRESSION).predict(feed)["prediction"]
    np.testing.assert_array_equal(answers[:, :2], feed["floats"])
    assert answers[:, 2].max() == 2 * ROWS_AT_ONCE
    assert answers[-1, 2] == 6
