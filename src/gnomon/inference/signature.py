"""The contract of an artifact: which raw columns go in, as which tensors, and what comes out.

The ONNX graph of every artifact takes up to three matrices (absent where no column needs it):

* ``floats``  float32 [N, F]: float, integer and boolean columns; missing is NaN; true is 1, false is 0.
* ``ints``    int64 [N, I]: timestamps and dates, microseconds of the UTC epoch; missing is ``MISSING_TIMESTAMP``.
* ``strings`` string [N, S]: text; missing is the empty string.

and gives ``prediction`` first, then what the task has besides:

* regression, forecasting: ``prediction`` float32 [N].
* classification: ``prediction`` string [N], the class name; ``probabilities`` float32 [N, classes].
* clustering: ``prediction`` int64 [N], the cluster's number; ``distances`` or ``probabilities`` float32 [N, clusters].
* density: ``prediction`` float32 [N], the log-density.
* reduction: ``prediction`` float32 [N, components].
* anomaly: ``prediction`` int64 [N], 1 for an anomalous row, else 0; ``score`` float32 [N], greater for a more unusual row.

The named columns live here, in the signature.
"""

from typing import Literal

import msgspec

MISSING_TIMESTAMP = -(2**63)

ColumnKind = Literal["float", "integer", "boolean", "timestamp", "string"]
Matrix = Literal["floats", "ints", "strings"]


class InputColumn(msgspec.Struct, frozen=True, rename="camel"):
    """One raw column of a request, and where it goes: column ``index`` of ``matrix``."""

    name: str
    kind: ColumnKind
    matrix: Matrix
    index: int
    nullable: bool = True

    @property
    def datatype(self) -> str:
        """The Open Inference Protocol datatype that the metadata names; others that hold the values are accepted too."""
        return {"float": "FP64", "integer": "INT64", "boolean": "BOOL", "timestamp": "BYTES", "string": "BYTES"}[self.kind]


class Output(msgspec.Struct, frozen=True, rename="camel"):
    """One result: ``shape`` without the row dimension, ``[]`` for one value a row."""

    name: str
    datatype: Literal["FP32", "BYTES", "INT64"]
    shape: tuple[int, ...] = ()


class Signature(msgspec.Struct, frozen=True, rename="camel"):
    """What an artifact takes and gives. ``classes`` are the class names in the order of ``probabilities``.

    ``target`` is the column that it predicts, empty where the task has none.
    """

    task: Literal["regression", "classification", "clustering", "density", "reduction", "anomaly", "forecasting"]
    target: str
    inputs: tuple[InputColumn, ...]
    outputs: tuple[Output, ...]
    classes: tuple[str, ...] = ()
