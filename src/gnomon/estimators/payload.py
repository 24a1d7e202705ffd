"""What a payload may be: a skops file of known libraries' types, bounded, read without importing any of them.

skops keeps an object as a zip archive: ``schema.json`` names the type of each part, arrays lie beside it. Loading imports the
types that are named, so nobody loads a file before all of them are known to be harmless.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from gnomon.errors import ArtifactError

LARGEST_PAYLOAD_BYTES = 2**29
_SCHEMA = "schema.json"
_LARGEST_SCHEMA_BYTES = 2**27
_PARTS = (".npy", ".npz", ".bin")
_MEND = "let fit return an estimator of scikit-learn, LightGBM or XGBoost, or the bytes of an ONNX model"

_PLAIN = frozenset(
    {
        *(
            f"builtins.{name}"
            for name in ("bool", "bytes", "bytearray", "complex", "dict", "float", "int", "list", "set", "slice")
        ),
        *(f"builtins.{name}" for name in ("str", "tuple", "NoneType", "frozenset", "type")),
        "collections.OrderedDict",
        "collections.defaultdict",
        "numpy.ndarray",
        "numpy.ma.MaskedArray",
        "numpy.dtype",
        "numpy.random.RandomState",
        "numpy.random.mtrand.RandomState",
        "numpy.random._generator.Generator",
        "numpy.random.Generator",
    }
)
_SCALARS = frozenset(
    f"numpy.{name}"
    for name in (
        *("bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "str_", "object_"),
    )
)
_ESTIMATORS = {
    "sklearn": (
        *("calibration", "cluster", "compose", "covariance", "cross_decomposition", "decomposition", "discriminant_analysis"),
        *("dummy", "ensemble", "feature_extraction", "feature_selection", "gaussian_process", "impute", "isotonic"),
        *("kernel_approximation", "kernel_ridge", "linear_model", "mixture", "multiclass", "multioutput", "naive_bayes"),
        *("neighbors", "neural_network", "pipeline", "preprocessing", "random_projection", "svm", "tree", "_loss", "base"),
        *("utils", "metrics", "semi_supervised", "frozen"),
    ),
    "scipy": ("sparse",),
    "lightgbm": ("sklearn", "basic"),
    "xgboost": ("sklearn", "core"),
}
"""Packages, and the modules of each whose classes may stand in a payload."""
_CALLED = frozenset(
    f"numpy.{name}"
    for name in (
        *("abs", "absolute", "ceil", "cos", "exp", "expm1", "floor", "log", "log10", "log1p", "log2", "rint", "sign", "sin"),
        *("sqrt", "square", "tan", "tanh"),
    )
)
"""Functions that a ``FunctionTransformer`` may apply: they look at nothing but their argument."""
_FUNCTIONS = frozenset({"FunctionNode", "MethodNode", "PartialNode", "OperatorFuncNode", "JoblibNode"})
"""Ways of skops to keep something that is called: with these, whoever wrote the file would choose what runs."""


def is_payload(content: bytes) -> bool:
    """Return whether bytes mean to be a payload, and not a graph: an archive begins with a mark of its own."""
    return content.startswith(b"PK")


def vet_payload(content: bytes) -> None:
    """Check a payload by its shape and the names in it, before anybody loads it.

    Raises:
        ArtifactError: It is too large, no skops file, or holds anything but data and estimators; the cause names what.
    """
    strangers = sorted(set(strange_types(schema_of(content))))
    if strangers:
        raise ArtifactError(f"the payload holds {', '.join(strangers[:5])}, which is no known data or estimator", _MEND)


def schema_of(content: bytes) -> Mapping[str, Any]:
    """Return the description of a payload's parts.

    Raises:
        ArtifactError: It is too large, or no skops file.
    """
    if len(content) > LARGEST_PAYLOAD_BYTES:
        raise ArtifactError(
            f"the payload has {len(content)} bytes, the most that is packed is {LARGEST_PAYLOAD_BYTES}",
            "train a smaller model: fewer trees, leaves or neighbours",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > LARGEST_PAYLOAD_BYTES:
                raise ArtifactError("the payload grows beyond what is packed when it is read", "train a smaller model")
            if odd := [m.filename for m in members if m.filename != _SCHEMA and not m.filename.endswith(_PARTS)]:
                raise ArtifactError(f"the payload holds a file {odd[0]}", _MEND)
            if archive.getinfo(_SCHEMA).file_size > _LARGEST_SCHEMA_BYTES:
                raise ArtifactError("the payload describes more parts than an estimator has", "train a smaller model")
            schema: Mapping[str, Any] = json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, NotImplementedError) as error:
        raise ArtifactError("the payload is not a skops file", _MEND) from error
    return schema


def strange_types(node: object) -> Iterator[str]:
    """Yield every type in a description that may not stand in a payload, and every part that is called."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(value for value in part.values() if isinstance(value, (dict, list)))
            if "__loader__" in part or "__class__" in part:
                name = f"{part.get('__module__')}.{part.get('__class__')}"
                if part.get("__loader__") in _FUNCTIONS and name not in _CALLED:
                    yield f"a function, {name}"
                elif name not in _CALLED and not is_known(name):
                    yield name


def is_known(name: str) -> bool:
    """Return whether a type, as ``module.Class``, is plain data or part of an estimator."""
    if name in _PLAIN or name in _SCALARS:
        return True
    package, *rest = name.split(".")
    return len(rest) >= 2 and rest[0] in _ESTIMATORS.get(package, ()) and all(part.isidentifier() for part in rest)
