"""The steps of a candidate that is a function of the user's repository, beside those of our own algorithms in ``steps``."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.inference.worker_process import WorkerPredictor
from gnomon.pipeline.loading import load_function
from gnomon.training.golden_rows import allowed, golden_rows
from gnomon.training.matrices import Matrices, concatenated, matrices_of
from gnomon.training.parity import edge_rows
from gnomon.training.preparation import Facts, target_values
from gnomon.training.user_fit import Runtime, UserModel, fitted
from gnomon.training.validation import validation_figures

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "polars")

Rows = NDArray[np.int64]


def fit_user(  # noqa: PLR0913 - each is a part of the step's key, or where the code lies
    *,
    table: pa.Table,
    train: Rows,
    validation: Rows,
    facts: Mapping[str, Any],
    candidate: Mapping[str, Any],
    code: str,  # noqa: ARG001 - in the key alone: what the function's code is
    checkout: str,
    runtime: Runtime = "onnx",
    name: str = "",
) -> dict[str, Any]:
    """Call the function with the training rows, and measure what it returned on the validation rows.

    Args:
        table: The prepared table, as all candidates have it.
        train: Rows to learn from.
        validation: Rows to measure on.
        facts: ``preparation.Facts`` as JSON.
        candidate: ``python``, the function as ``file.py:name``, and its ``params``.
        code: Digest of the function and of everything of the repository that it reaches.
        checkout: The folder that holds the files of the commit.
        runtime: Whether an estimator may be returned.
        name: The candidate's, for errors.

    Returns:
        ``report``: as ``steps.fit_candidate``.

    Raises:
        TrainingError: The function returned what cannot serve.
        ExportRefusedError: What will be served disagrees with what it returned.
    """
    known = msgspec.convert(facts, Facts)
    raw, target = matrices_of(table, known.inputs), target_values(table, known)
    model = _fitted(known, raw.take(train), target[train], candidate, checkout, runtime, name)
    predictor = model.answering()
    held_out = raw.take(validation)
    parity = model.parity(predictor, _asked(held_out, known), known.deviation)
    metrics = validation_figures(predictor, known, raw, target, train, validation)
    return {"report": _report(candidate, parity.to_json()) | {"metrics": metrics}}


def refit_user(  # noqa: PLR0913 - as above
    *,
    table: pa.Table,
    train: Rows,
    validation: Rows,
    test: Rows,
    facts: Mapping[str, Any],
    candidate: Mapping[str, Any],
    code: str,  # noqa: ARG001 - in the key alone
    checkout: str,
    runtime: Runtime = "onnx",
    name: str = "",
) -> dict[str, Any]:
    """Call the function with the training and validation rows, for good. Arguments as of ``fit_user``.

    Returns:
        ``model``: the ONNX file, or the payload of an estimator. ``signature``, ``golden``, ``report``: as ``steps.refit``.

    Raises:
        TrainingError: The function returned what cannot serve.
        ExportRefusedError: What will be served disagrees with what it returned.
    """
    known = msgspec.convert(facts, Facts)
    raw, target = matrices_of(table, known.inputs), target_values(table, known)
    rows = np.concatenate([train, validation])
    chosen = rows if known.ordered else np.sort(rows)
    model = _fitted(known, raw.take(chosen), target[chosen], candidate, checkout, runtime, name)
    predictor = model.predictor()
    held_out = raw.take(test)
    parity = model.parity(predictor, _asked(held_out, known), known.deviation)
    golden = golden_rows(predictor, held_out, known.deviation, known.seed)
    libraries = dict(predictor.libraries) if isinstance(predictor, WorkerPredictor) else {}
    return {
        "model": model.content,
        "signature": msgspec.to_builtins(model.signature),
        "golden": msgspec.to_builtins(golden),
        "report": _report(candidate, parity.to_json())
        | {"libraries": libraries or {name: version(name) for name in _LIBRARIES}},
    }


def _fitted(
    facts: Facts,
    rows: Matrices,
    target: NDArray[np.float64],
    candidate: Mapping[str, Any],
    checkout: str,
    runtime: Runtime,
    name: str,
) -> UserModel:
    if facts.definitions:
        raise TrainingError(
            f"candidate {name} reads raw columns, and the features of the model hold expressions",
            "list raw columns under spec.features, and compute the others in the function",
        )
    file, _, function = candidate["python"].partition(":")
    return fitted(
        load_function(Path(checkout), file, function),
        rows,
        target,
        facts.signature,
        candidate["params"],
        seed=facts.seed,
        runtime=runtime,
        candidate=name or candidate["python"],
    )


def _asked(held_out: Matrices, facts: Facts) -> Matrices:
    """Return held-out and made-up rows that a request may carry."""
    return allowed(concatenated([held_out, edge_rows(facts.inputs, held_out, facts.seed)]), facts.inputs)


def _report(candidate: Mapping[str, Any], parity: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "algorithm": candidate["algorithm"],
        "python": candidate["python"],
        "params": dict(candidate["params"]),
        "found": {},
        "parity": dict(parity),
    }
