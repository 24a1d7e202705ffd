import onnx
import pytest
from onnx import TensorProto, helper

from gnomon.errors import ArtifactError
from gnomon.registry.vetting import LARGEST_MODEL_BYTES, vet_model
from tests.artifacts import classification_model, regression_model


def graph(*nodes: onnx.NodeProto, **more: object) -> onnx.GraphProto:
    value = helper.make_tensor_value_info
    return helper.make_graph(
        list(nodes), "g", [value("x", TensorProto.FLOAT, [1])], [value("y", TensorProto.FLOAT, [1])], **more
    )


def serialized(made: onnx.GraphProto, **more: object) -> bytes:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    content: bytes = helper.make_model(made, **({"opset_imports": opsets} | more)).SerializeToString()
    return content


def node(operator: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, ["x"], ["y"], **attributes)


def elsewhere(name: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def refused(content: bytes) -> str:
    with pytest.raises(ArtifactError) as caught:
        vet_model(content)
    assert caught.value.mend
    return caught.value.cause


def laughs() -> bytes:
    """A model of 2 kB that no runtime finishes loading: each of 30 functions calls the one before it twice."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("loc", 1)]
    functions = [helper.make_function("loc", "L0", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], opsets)]
    for k in range(1, 30):
        calls = [helper.make_node(f"L{k - 1}", [a], [b], domain="loc") for a, b in (("a", "m"), ("m", "b"))]
        functions.append(helper.make_function("loc", f"L{k}", ["a"], ["b"], calls, opsets))
    return serialized(graph(node("L29", domain="loc")), functions=functions, opset_imports=opsets)


def endless() -> bytes:
    """A model that never answers: a loop of 2^62 rounds."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["v"], ["w"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("v", TensorProto.FLOAT, [1])],
        [value("on", TensorProto.BOOL, []), value("w", TensorProto.FLOAT, [1])],
    )
    rounds = helper.make_tensor("m", TensorProto.INT64, [], [2**62])
    begin = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    return serialized(graph(helper.make_node("Loop", ["m", "c", "x"], ["y"], body=body), initializer=[rounds, begin]))


@pytest.mark.parametrize("content", [regression_model(2.0), classification_model()])
def test_an_honest_model_passes(content: bytes) -> None:
    vet_model(content)


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 40, regression_model(1.0)[:-40]])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    assert "ONNX" in refused(content) or "no operator" in refused(content)


def test_a_model_that_never_loads_is_refused_by_its_shape() -> None:
    assert "defines the local function 'L0'" in refused(laughs())


def test_a_model_that_never_answers_is_refused_by_its_shape() -> None:
    assert "Loop, which has a graph inside" in refused(endless())


def test_values_in_another_file_are_refused_wherever_they_stand() -> None:
    sparse = onnx.SparseTensorProto(values=elsewhere("s"), dims=[1])
    for content in (
        serialized(graph(node("Identity"), initializer=[elsewhere("w")])),
        serialized(graph(node("Identity"), sparse_initializer=[sparse])),
        serialized(graph(helper.make_node("Constant", [], ["y"], value=elsewhere("w")))),
        serialized(graph(helper.make_node("Constant", [], ["y"], sparse_value=sparse))),
    ):
        assert "in another file" in refused(content)


def test_an_external_entry_without_the_flag_is_refused_too() -> None:
    tensor = elsewhere("w")
    tensor.data_location = TensorProto.DEFAULT
    assert "in another file" in refused(serialized(graph(node("Identity"), initializer=[tensor])))


def test_operators_of_other_domains_are_refused() -> None:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil.corp", 1)]
    assert "the domain 'evil.corp'" in refused(serialized(graph(node("Evil", domain="evil.corp")), opset_imports=opsets))
    assert "the domain 'evil.corp'" in refused(serialized(graph(node("Evil", domain="evil.corp"))))


def test_a_model_that_is_not_valid_is_refused_with_the_reason() -> None:
    assert "not valid ONNX" in refused(serialized(graph(node("NoSuchOperator"))))
    assert "not valid ONNX" in refused(serialized(graph(helper.make_node("Identity", ["nowhere"], ["y"]))))


def test_a_model_beyond_the_limit_is_refused_before_it_is_read() -> None:
    assert "the most that is packed" in refused(bytes(LARGEST_MODEL_BYTES + 1))
