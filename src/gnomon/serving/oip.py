"""The Open Inference Protocol v2 over JSON: requests become columns, answers become replies, signatures become metadata."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from numpy.typing import NDArray

from gnomon.errors import InputError
from gnomon.inference.signature import InputColumn, Signature
from gnomon.version import __version__

_NUMBERS = frozenset(
    {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16", "FP32", "FP64"}
)
_ACCEPTED: Mapping[str, frozenset[str]] = {
    "float": _NUMBERS,
    "integer": _NUMBERS,
    "boolean": _NUMBERS,
    "timestamp": _NUMBERS | {"BYTES"},
    "string": frozenset({"BYTES"}),
}
PLATFORM = "onnxruntime_onnx"


class InputTensor(msgspec.Struct, gc=False):
    """One column of a request."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class RequestedOutput(msgspec.Struct, gc=False):
    """An output that the caller wants."""

    name: str


class InferRequest(msgspec.Struct):
    """The body of an inference request. What else it holds (``parameters``) is allowed and has no effect."""

    inputs: list[InputTensor]
    outputs: list[RequestedOutput] | None = None
    id: str | None = None


_decode = msgspec.json.Decoder(InferRequest).decode


def decode_request(body: bytes) -> InferRequest:
    """Return the request that ``body`` holds.

    Raises:
        InputError: It holds none.
    """
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the body is no inference request: {error}", "see docs/protocol.md for one") from error


class RequestReader:
    """Turns the tensors of requests into raw columns, for one signature."""

    def __init__(self, signature: Signature) -> None:
        self._accepted = {column.name: _ACCEPTED[column.kind] for column in signature.inputs}
        self._outputs = frozenset(output.name for output in signature.outputs)

    def columns(self, request: InferRequest) -> dict[str, list[Any]]:
        """Return the columns by name. Names that the signature does not know are left to the encoder.

        Raises:
            InputError: A tensor's shape, datatype or data do not fit each other or the signature; the cause names it.
        """
        columns: dict[str, list[Any]] = {}
        for tensor in request.inputs:
            name, data = tensor.name, tensor.data
            if tensor.shape != [len(data)] or (data and type(data[0]) is list):
                data = _flat(tensor)
            accepted = self._accepted.get(name)
            if accepted is not None and tensor.datatype not in accepted:
                raise InputError(
                    f"column {name!r} has datatype {tensor.datatype[:40]!r}", f"send one of {', '.join(sorted(accepted))}"
                )
            columns[name] = data
        if len(columns) != len(request.inputs):
            twice, _ = Counter(tensor.name for tensor in request.inputs).most_common(1)[0]
            raise InputError(f"column {twice[:80]!r} comes twice", "send each input once")
        return columns

    def wanted(self, outputs: Sequence[RequestedOutput]) -> frozenset[str]:
        """Return the names of the outputs that the caller wants.

        Raises:
            InputError: The model has no such output.
        """
        names = frozenset(output.name for output in outputs)
        if not names <= self._outputs:
            unknown = min(names - self._outputs)
            raise InputError(f"the model has no output {unknown[:80]!r}", f"it has {', '.join(sorted(self._outputs))}")
        return names


class ReplyWriter:
    """Writes answers, for one version of one model."""

    def __init__(self, name: str, version: str, signature: Signature) -> None:
        self._name = name
        self._version = version
        self._datatypes = {output.name: output.datatype for output in signature.outputs}

    def body(self, request_id: str, answers: Mapping[str, NDArray[Any]], wanted: frozenset[str] | None) -> bytes:
        """Return the reply's body. A float32 is written in the fewest digits that read back as the same; NaN is null."""
        outputs = [
            {
                "name": name,
                "shape": values.shape,
                "datatype": self._datatypes[name],
                "data": values.ravel().tolist() if values.dtype.hasobject else values.ravel(),
            }
            for name, values in answers.items()
            if wanted is None or name in wanted
        ]
        document = {"model_name": self._name, "model_version": self._version, "id": request_id, "outputs": outputs}
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def server_metadata() -> dict[str, Any]:
    """Return what ``GET /v2`` answers."""
    return {"name": "gnomon", "version": __version__, "extensions": ["model_repository(index)"]}


def model_metadata(name: str, versions: Sequence[str], signature: Signature) -> dict[str, Any]:
    """Return what ``GET /v2/models/NAME`` answers; the names of the classes are in the parameters of ``probabilities``."""
    outputs: list[dict[str, Any]] = []
    for output in signature.outputs:
        described: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": [-1, *output.shape]}
        if signature.classes:
            described["parameters"] = {"classes": list(signature.classes)}
        outputs.append(described)
    return {
        "name": name,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": [_input_metadata(column) for column in signature.inputs],
        "outputs": outputs,
        "parameters": {"task": signature.task, **({"target": signature.target} if signature.target else {})},
    }


def _input_metadata(column: InputColumn) -> dict[str, Any]:
    return {
        "name": column.name,
        "datatype": column.datatype,
        "shape": [-1],
        "parameters": {"kind": column.kind, "nullable": column.nullable},
    }


def _flat(tensor: InputTensor) -> list[Any]:
    """Return the data of a tensor of shape [N] or [N, 1], flat or nested, as one value for each row."""
    shape, data = tensor.shape, tensor.data
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise InputError(
            f"column {tensor.name[:80]!r} has shape {shape[:8]}", "send shape [N] or [N, 1], one value for each row"
        )
    if data and type(data[0]) is list:
        if not all(type(row) is list and len(row) == 1 for row in data):
            raise InputError(
                f"column {tensor.name[:80]!r} has rows that do not hold one value each", "send one value for each row"
            )
        data = [row[0] for row in data]
    if len(data) != shape[0]:
        raise InputError(
            f"column {tensor.name[:80]!r} has shape {shape} and {len(data)} values",
            "let the shape say how many values there are",
        )
    return data
