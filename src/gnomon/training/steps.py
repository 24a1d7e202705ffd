"""The steps that make a model, as plain functions: they run in processes of their own, with one thread each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.data.reading import scan, within
from gnomon.data.snapshot import Snapshot
from gnomon.inference.session import Predictor
from gnomon.resources.learning import DEFAULT_CONTAMINATION, Algorithm, Task
from gnomon.resources.model import Split
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.candidates import CandidatePlan
from gnomon.training.fitting import NativeModel, export, fit_model
from gnomon.training.forecasting import forecast_of
from gnomon.training.golden_rows import golden_rows
from gnomon.training.made_columns import made_columns
from gnomon.training.matrices import Matrices, concatenated, matrices_of, run_of
from gnomon.training.parity import Parity, checked_parity, edge_rows
from gnomon.training.preparation import Facts, prepare_rows, target_values
from gnomon.training.row_source import Wanted
from gnomon.training.validation import validation_figures

_LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn")
_EXTRAS: Mapping[Algorithm, str] = {
    "xgboost": "xgboost",
    "torch-mlp": "torch",
    "torch-cnn": "torch",
    "torch-rnn": "torch",
    "torch-lstm": "torch",
}
"""The module of an algorithm that comes with an extra; distributions of several names provide it."""

Rows = NDArray[np.int64]


def prepare(  # noqa: PLR0913 - each is a part of the step's key
    *,
    snapshot: bytes,
    files: Sequence[Path],
    task: Task,
    target: str | None,
    features: Sequence[str],
    split: Mapping[str, Any],
    time: str | None,
    carried: Sequence[str] = (),
    forecast: Mapping[str, Any] | None = None,
    contamination: float = DEFAULT_CONTAMINATION,
    window: Mapping[str, int] | None = None,
    definitions: Mapping[str, str] | None = None,
    functions: Sequence[Mapping[str, str]] = (),
    checkout: str | None = None,
) -> dict[str, Any]:
    """Return the training table of a model and its divided rows; of a ``window``, those in ``[start, end)``.

    ``functions`` of the repository, whose files lie in ``checkout``, make columns that are features besides.

    Returns:
        ``table``: the raw columns, the features that ``definitions`` compute of them, the target, the time and the
        ``carried`` columns, see ``prepared_table``. ``train``, ``validation``, ``test``: indices of rows, int64.
        ``facts``: ``preparation.Facts`` as JSON.

    Raises:
        TrainingError: The snapshot does not suffice for the model.
        DataError: A file cannot be read.
    """
    kept = Snapshot.from_json(snapshot)
    ahead = forecast_of(forecast) if forecast is not None else None
    wanted = Wanted(task, target, tuple(features), Split.model_validate(split), time, tuple(carried), ahead, contamination)
    wanted = replace(wanted, definitions=definitions or {})
    rows = scan(kept, files)
    if window is not None and time is not None:
        rows = within(rows, time, window["start"], window["end"])
    made = made_columns(rows, functions, target, checkout)
    prepared = prepare_rows(rows, kept.columns, wanted, made)
    return {
        "table": prepared.table,
        "train": prepared.parts.train,
        "validation": prepared.parts.validation,
        "test": prepared.parts.test,
        "facts": _json_values(prepared.facts),
    }


def fit_candidate(
    *, table: pa.Table, train: Rows, validation: Rows, facts: Mapping[str, Any], candidate: Mapping[str, Any], name: str = ""
) -> dict[str, Any]:
    """Fit a candidate on the training rows, and measure its graph on the validation rows.

    Returns:
        ``report``: algorithm, params, what the fit found, the graph's ``metrics``, and its parity. The ``name`` of the
        candidate stands in errors alone, so that one that is only called otherwise is known again.

    Raises:
        TrainingError: The rows do not suffice.
        ExportRefusedError: The graph disagrees with the native model.
    """
    known, plan = msgspec.convert(facts, Facts), _plan(candidate, name)
    raw, seen, target = matrices_of(table, known.inputs), matrices_of(table, known.features), target_values(table, known)
    model = _fit(plan, known, seen, target, train)
    signature = known.signature_of(model.meaning.outputs)
    predictor = Predictor(export(model, raw, signature, known.graph), signature)
    parity = _parity(model, predictor, _HeldOut(raw.take(validation), seen.take(validation)), known, plan)
    metrics = validation_figures(predictor, known, raw, target, train, validation)
    return {"report": _report(plan, model, parity) | {"metrics": metrics}}


def refit(
    *,
    table: pa.Table,
    train: Rows,
    validation: Rows,
    test: Rows,
    facts: Mapping[str, Any],
    candidate: Mapping[str, Any],
    name: str = "",
) -> dict[str, Any]:
    """Fit the chosen candidate on the training and validation rows, and export it.

    Of the test rows only the inputs are used: for the parity check and for golden rows.

    Returns:
        ``model``: the ONNX file. ``signature`` and ``golden``: as the artifact carries them. ``report``:
        algorithm, params, what the fit found, parity, and the versions of the libraries.

    Raises:
        TrainingError: The rows do not suffice.
        ExportRefusedError: The graph disagrees with the native model.
    """
    known, plan = msgspec.convert(facts, Facts), _plan(candidate, name)
    raw, seen, target = matrices_of(table, known.inputs), matrices_of(table, known.features), target_values(table, known)
    rows = np.concatenate([train, validation])
    model = _fit(plan, known, seen, target, rows if known.ordered else np.sort(rows))
    signature = known.signature_of(model.meaning.outputs)
    content = export(model, raw, signature, known.graph)
    predictor = Predictor(content, signature)
    held_out = _HeldOut(raw.take(test), seen.take(test))
    parity = _parity(model, predictor, held_out, known, plan)
    golden = golden_rows(predictor, held_out.raw, known.deviation * model.unit, known.seed, model.meaning.threshold)
    return {
        "model": content,
        "signature": _json_values(signature),
        "golden": _json_values(golden),
        "report": _report(plan, model, parity) | {"libraries": _libraries(plan)},
    }


def _libraries(plan: CandidatePlan) -> dict[str, str]:
    """Return distribution -> version of what a fit and its export depend on; an extra's where the algorithm is one's."""
    names = list(_LIBRARIES)
    if plan.algorithm in _EXTRAS:
        names += packages_distributions()[_EXTRAS[plan.algorithm]]
    return {name: version(name) for name in names}


def _json_values(value: msgspec.Struct) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _plan(candidate: Mapping[str, Any], name: str) -> CandidatePlan:
    return CandidatePlan.from_json(candidate, name)


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """Rows that were not fitted, as a request carries them and as the estimator sees them."""

    raw: Matrices
    seen: Matrices


def _fit(plan: CandidatePlan, facts: Facts, seen: Matrices, target: NDArray[np.float64], rows: Rows) -> NativeModel:
    chosen = TrainingRows(seen.take(rows), target[run_of(rows)], len(facts.classes), facts.ordered, facts.seed)
    return fit_model(plan, chosen, facts.task, facts.contamination)


def _parity(model: NativeModel, predictor: Predictor, held_out: _HeldOut, facts: Facts, plan: CandidatePlan) -> Parity:
    made_up = edge_rows(facts.inputs, held_out.raw, facts.seed)
    rows = concatenated([held_out.raw, made_up])
    native = model.predict(concatenated([held_out.seen, facts.graph.of(made_up)]))
    return checked_parity(predictor, native, rows, facts.deviation * model.unit, plan.name)


def _report(plan: CandidatePlan, model: NativeModel, parity: Parity) -> dict[str, Any]:
    return {
        "algorithm": plan.algorithm,
        "params": dict(plan.params),
        "found": model.found(),
        "parity": parity.to_json(),
    }
