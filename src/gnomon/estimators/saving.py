"""A fitted estimator becomes a payload: equal estimators give equal bytes, on any day and in any process."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from gnomon.errors import TrainingError
from gnomon.estimators.payload import strange_types

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that an archive can tell."""
_VALUES = frozenset({"JsonNode", "TypeNode", "DTypeNode"})
"""Parts that cannot change: whether two of them are the same object is an accident of the interpreter."""
_INSTEAD = "return an estimator of scikit-learn, LightGBM or XGBoost, or the bytes of an ONNX model"


def saved(estimator: object, candidate: str) -> bytes:
    """Return the payload of an estimator.

    Raises:
        TrainingError: skops cannot keep it, it holds types that are not known to be harmless, or skops is not installed.
    """
    try:
        from skops.io import dumps  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"candidate {candidate} returned a {type(estimator).__name__}, which skops keeps, and skops is not installed",
            "install gnomon[python-runtime] where steps run, or return the bytes of an ONNX model",
        ) from error
    try:
        written = dumps(estimator)
    except Exception as error:
        raise TrainingError(f"skops cannot keep what candidate {candidate} returned: {error}", _INSTEAD) from error
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        parts = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    if strangers := sorted(set(strange_types(schema))):
        told = ", ".join(strangers[:5])
        raise TrainingError(f"what candidate {candidate} returned holds {told}, which is no known data or estimator", _INSTEAD)
    return _canonical(schema, parts)


def _canonical(schema: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    """Return the archive with ids and names counted from 1 in the order of the schema, and with no time of day."""
    ids: dict[Any, int] = {}
    names: dict[str, str] = {}
    count = 0

    def renamed(node: Any) -> Any:
        nonlocal count
        if isinstance(node, list):
            return [renamed(each) for each in node]
        if not isinstance(node, dict):
            return node
        made = {key: renamed(value) for key, value in node.items() if key not in {"__id__", "file"}}
        if "__id__" in node:
            if node.get("__loader__") in _VALUES or node["__id__"] not in ids:
                count += 1
                ids[node["__id__"]] = count
            made["__id__"] = ids[node["__id__"]]
        if isinstance(node.get("file"), str):
            name = node["file"]
            made["file"] = names.setdefault(name, f"{len(names) + 1}.{name.rpartition('.')[2]}")
        return made

    told = renamed(schema)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _EPOCH), json.dumps(told, sort_keys=True, separators=(",", ":")))
        for old, new in names.items():
            archive.writestr(zipfile.ZipInfo(new, _EPOCH), parts[old])
    return written.getvalue()
