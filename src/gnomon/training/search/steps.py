"""The steps of a search, as plain functions: they run in processes of their own, with one thread each.

They import nothing that starts threads, so that the process that they are forked from has it all. Answers here are the
libraries' own: the winner is refitted, exported and held against its export before it is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.inference.signature import InputColumn
from gnomon.resources.learning import Metric
from gnomon.training.algorithms import forest, hist_gradient_boosting, lightgbm
from gnomon.training.algorithms.growth import Grown, Plot, Watch
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.candidates import CandidatePlan
from gnomon.training.encoded import encoded
from gnomon.training.fitting import fit_model
from gnomon.training.links import spread
from gnomon.training.losses import classification_figures, regression_figures
from gnomon.training.matrices import matrices_of
from gnomon.training.search.ensembles import family_of, full_length, patience_of
from gnomon.training.search.present import Rows, present_rows
from gnomon.training.search.row_losses import longer_forest_loss, row_losses

Features = NDArray[np.float32]


def fit_whole(  # noqa: PLR0913 - each is a part of the step's key
    *,
    table: pa.Table,
    train: Rows,
    validation: Rows,
    target: Floats,
    actual: Floats,
    facts: Mapping[str, Any],
    candidate: Mapping[str, Any],
    metric: Metric,
    name: str,
) -> dict[str, Any]:
    """Fit a candidate on the training rows, and measure it on the validation rows.

    Returns:
        ``report``: what ``_result`` tells. ``losses``: of each validation row, float32.

    Raises:
        TrainingError: The rows do not suffice.
    """
    plan = CandidatePlan.from_json(candidate, name)
    seen = matrices_of(table, msgspec.convert(facts["features"], tuple[InputColumn, ...]))
    rows = TrainingRows(seen.take(train), np.array(target), len(facts["classes"]), facts["ordered"], facts["seed"])
    model = fit_model(plan, rows)
    best = _Best(metric, np.array(actual), last=True)
    best.take(0, model.predict(seen.take(validation)))
    return _result(plan, best, {"found": model.fitted.found(), "finished": True})


def grow(  # noqa: PLR0913 - each is a part of the step's key
    *,
    learnt: Features,
    held_out: Features,
    target: Floats,
    actual: Floats,
    facts: Mapping[str, Any],
    candidate: Mapping[str, Any],
    metric: Metric,
    name: str,
    length: int,
    bins: Path | None = None,
    report: Mapping[str, Any] | None = None,
    losses: NDArray[np.float32] | None = None,
    **state: NDArray[Any],
) -> dict[str, Any]:
    """Grow an ensemble on to a length, from where an earlier step left it, and measure it on the validation rows.

    A booster with patience is measured at its best round so far, and stops where that lies too far back.

    Returns:
        ``report``: what ``_result`` tells. ``losses``: of each validation row, float32. ``state_…``: what growing on needs.

    Raises:
        TrainingError: The rows do not suffice.
    """
    plan = CandidatePlan.from_json(candidate, name)
    rows, classes = present_rows(encoded(learnt, bins), target, facts)
    plot = Plot(rows, encoded(learnt, bins), encoded(np.array(held_out)))
    patience = patience_of(plan)
    best = _Best(metric, np.array(actual), last=not patience)
    if report is not None and losses is not None:
        best.resume(report, losses)
    grown = Grown(0 if report is None else int(report["length"]), {key.removeprefix("state_"): state[key] for key in state})

    def watch(reached: int, answers: Floats) -> bool:
        best.take(reached, spread(answers, classes, len(facts["classes"])) if facts["classes"] else answers)
        return not patience or reached < best.rounds + patience

    grown = _grown(plan, plot, grown, length, watch)
    told = {
        "found": {"rounds": best.rounds} if family_of(plan) == "booster" else {"trees": grown.length},
        "length": grown.length,
        "finished": grown.length < length or length >= full_length(plan),
        "promise": _promise(plan, grown, metric, np.array(actual), classes) if family_of(plan) == "forest" else None,
    }
    return _result(plan, best, told) | {f"state_{key}": array for key, array in grown.state.items()}


def _promise(plan: CandidatePlan, grown: Grown, metric: Metric, actual: Floats, classes: Rows) -> float | None:
    """Return the loss that a forest will come to at its full length, so far as its trees tell."""
    if len(classes):
        places = np.searchsorted(classes, actual.astype(np.int64)).clip(max=len(classes) - 1)
        actual = np.where(classes[places] == actual, places, -1).astype(np.float64)
    sums, squares = grown.state["sums"], grown.state["squares"]
    return longer_forest_loss(metric, actual, sums, squares, grown.length, full_length(plan))


@dataclass
class _Best:
    """The best answers for the validation rows so far, or the last ones."""

    metric: Metric
    actual: Floats
    last: bool
    rounds: int = 0
    loss: float = np.inf
    losses: Floats | None = None
    answers: Floats | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def resume(self, report: Mapping[str, Any], losses: NDArray[np.float32]) -> None:
        """Begin with the best of an earlier step."""
        self.rounds, self.loss, self.metrics = report["found"].get("rounds", 0), report["loss"], report["metrics"]
        self.losses = losses.astype(np.float64)

    def take(self, rounds: int, answers: Floats) -> None:
        """Keep answers if they are better."""
        losses = row_losses(self.metric, self.actual, answers)
        loss = float(losses.mean())
        if self.last or loss < self.loss:
            self.rounds, self.loss, self.losses, self.answers = rounds, loss, losses, np.array(answers)

    def figures(self) -> Mapping[str, float]:
        """Return the metrics of what was kept."""
        if self.answers is None:
            return self.metrics
        if self.answers.ndim == 1:
            return regression_figures(self.actual, self.answers)
        return classification_figures(self.actual.astype(np.int64), self.answers)


def _result(plan: CandidatePlan, best: _Best, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report, in which no name stands, so that a candidate that is only called otherwise is known again."""
    if best.losses is None or not np.isfinite(best.loss):
        raise TrainingError(
            f"candidate {plan.name} gave no finite answers for the validation rows",
            "check the target and the features for extreme values, or use another algorithm",
        )
    report = {"algorithm": plan.algorithm, "params": dict(plan.params), "metrics": best.figures(), "loss": best.loss, **told}
    return {"report": report, "losses": best.losses.astype(np.float32)}


def _grown(plan: CandidatePlan, plot: Plot, before: Grown, length: int, watch: Watch) -> Grown:
    try:
        match plan.algorithm:
            case "lightgbm":
                return lightgbm.grow(plot, plan.params, before, length, watch)
            case "hist-gradient-boosting":
                return hist_gradient_boosting.grow(plot, plan.params, before, length, watch)
            case "xgboost":
                return _grown_xgboost(plan, plot, before, length, watch)
            case _:
                return forest.grow(plot, plan.algorithm, plan.params, before, length, watch)
    except (ValueError, ArithmeticError, LightGBMError) as error:
        raise TrainingError(
            f"candidate {plan.name} cannot be fitted: {str(error).partition('.')[0]}",
            "check the target and the features for extreme values, or use another algorithm",
        ) from error


def _grown_xgboost(plan: CandidatePlan, plot: Plot, before: Grown, length: int, watch: Watch) -> Grown:
    try:
        from gnomon.training.algorithms import xgboost  # noqa: PLC0415 - an extra, which other candidates do without
    except ModuleNotFoundError as error:
        if error.name != "xgboost":
            raise
        raise TrainingError(
            f"candidate {plan.name} needs XGBoost, which is not installed where steps run",
            "install gnomon[xgboost] there, or use lightgbm or hist-gradient-boosting",
        ) from error
    return xgboost.grow(plot, plan.params, before, length, watch)
