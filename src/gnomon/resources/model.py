"""Kind Model: which candidates are trained on which data, and which gates the winner must pass."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag

from gnomon.resources.base import ColumnName, Name, Resource, Strict
from gnomon.resources.quantities import ByteSize, Duration, Share

Task = Literal["regression", "classification"]
Algorithm = Literal["linear", "ridge", "logistic", "random-forest", "hist-gradient-boosting", "lightgbm"]
Metric = Literal[
    "rmse", "mae", "r2", "accuracy", "balancedAccuracy", "f1", "precision", "recall", "logLoss", "rocAuc", "latencyP99", "size"
]
Scalar = bool | int | float | str

ALGORITHMS_BY_TASK: Mapping[Task, tuple[Algorithm, ...]] = {
    "regression": ("linear", "ridge", "random-forest", "hist-gradient-boosting", "lightgbm"),
    "classification": ("logistic", "random-forest", "hist-gradient-boosting", "lightgbm"),
}
TASKS_BY_ALGORITHM: Mapping[Algorithm, tuple[Task, ...]] = {
    algorithm: tuple(task for task in get_args(Task) if algorithm in ALGORITHMS_BY_TASK.get(task, ()))
    for algorithm in get_args(Algorithm)
}
"""What each algorithm can learn."""
METRICS_BY_TASK: Mapping[Task, tuple[Metric, ...]] = {
    "regression": ("rmse", "mae", "r2"),
    "classification": ("accuracy", "balancedAccuracy", "f1", "precision", "recall", "logLoss", "rocAuc"),
}
PACKED_METRICS: frozenset[Metric] = frozenset({"latencyP99", "size"})
"""Measured on the packed artifact alone: they fit every task, and gate only."""
SHARE_METRICS: frozenset[Metric] = frozenset({"accuracy", "balancedAccuracy", "f1", "precision", "recall", "rocAuc"})
"""Between 0 and 1."""


class Range(Strict):
    """``n`` values from the first to the last bound, evenly spaced, or evenly spaced in logarithm."""

    log: tuple[float | int, float | int] | None = None
    """First and last value, evenly spaced in logarithm."""
    linear: tuple[float | int, float | int] | None = None
    """First and last value, evenly spaced."""
    n: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many values."""


def _search_shape(value: object) -> str | None:
    if isinstance(value, (dict, Range)):
        return "range"
    return "values" if isinstance(value, (list, tuple)) else None


SearchValues = Annotated[
    Annotated[tuple[Scalar, ...], Tag("values")] | Annotated[Range, Tag("range")],
    Discriminator(
        _search_shape,
        custom_error_type="search_values",
        custom_error_message="write a list of values, or a range such as {log: [0.001, 1000], n: 4}",
    ),
]
"""What a parameter may be: a list of values, or a range that stands for one."""


class Candidate(Strict):
    """One algorithm; ``search`` makes one candidate for every combination of its values."""

    algorithm: Algorithm
    """What is fitted."""
    name: Name | None = None
    """What reports call it; the default is the algorithm."""
    params: dict[str, Scalar] = Field(default_factory=dict)
    """Parameters of the algorithm, under their names in its library."""
    search: dict[str, SearchValues] = Field(default_factory=dict)
    """Parameters to try: lists of values, or ranges. Every combination is a candidate."""

    @property
    def combinations(self) -> int:
        """How many candidates the search comes to."""
        return math.prod(values.n if isinstance(values, Range) else len(values) for values in self.search.values())


class Split(Strict):
    """How rows are divided. By ``time``, the newest rows are the test rows."""

    by: Literal["time", "random", "stratified"] | None = None
    """The default is ``time`` where the dataset declares a time column.

    Without one it is ``stratified`` for classification and ``random`` for regression.
    """
    test: Share = 0.2
    """Share of all rows on which gates are measured. Nothing is fitted or chosen on them."""
    validation: Share = 0.2
    """Share of the rows that are not test rows, used to choose between candidates."""
    gap: Duration = timedelta(0)
    """By ``time`` only: rows this shortly before the test rows, and before the validation rows, are left out."""
    seed: int = 7
    """Makes the same rows the test rows every time."""


class Gate(Strict):
    """A condition on the packed artifact, measured on the untouched test rows. All gates of a model must pass."""

    metric: Metric
    """What is measured."""
    max: float | int | str | None = None
    """Largest value that passes; ``latencyP99`` takes a duration (``5ms``), ``size`` a size (``50MiB``)."""
    min: float | int | None = None
    """Smallest value that passes."""
    against: Literal["champion"] | None = None
    """Compare with the artifact that the service runs now, on the same rows. Passes where there is no champion yet."""
    improve_by: Share | None = None
    """With ``against``: the least relative improvement. 0% lets an equal candidate pass."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """With ``against``: the improvement must hold with this probability over a paired bootstrap of the test rows."""
    max_ratio: Annotated[float | int, Field(gt=0)] | None = None
    """With ``against``: by which factor the candidate may be worse, such as 1.02."""


class Retrain(Strict):
    """What starts a run besides the first, and how often."""

    when: tuple[Literal["data", "code"], ...] = ("data", "code")
    """Which changes start a run."""
    cooldown: Duration = timedelta(0)
    """Least time between the starts of two runs."""
    max_per_day: Annotated[int, Field(ge=1)] | None = None
    """Most runs in 24 hours."""


class Resources(Strict):
    """What one training step may use."""

    memory: ByteSize | None = None
    """A step that takes more is ended."""
    timeout: Duration = timedelta(minutes=30)
    """A step that takes longer is ended."""
    parallel: Annotated[int, Field(ge=1)] | None = None
    """Steps at the same time; the default is the number of processors."""


class ModelSpec(Strict):
    """The whole of a Model."""

    task: Task
    """What kind of answer the model gives."""
    dataset: Name
    """The Dataset of this namespace to learn from."""
    target: ColumnName
    """The column to predict."""
    features: tuple[ColumnName, ...] = ()
    """Raw columns; empty means every column but the target."""
    split: Split = Split()
    """Which rows are for fitting, choosing and judging."""
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    """What is tried; the best on the validation rows is judged by the gates."""
    metric: Metric | None = None
    """Chooses between candidates; the default is ``rmse`` for regression and ``logLoss`` for classification."""
    gates: tuple[Gate, ...] = ()
    """What the best candidate must pass to become a version."""
    retrain: Retrain = Retrain()
    """What starts further runs."""
    resources: Resources = Resources()
    """What one training step may use."""
    suspend: bool = False
    """Leave it as it is: no new runs."""

    def json_spec(self) -> dict[str, Any]:
        """Return the spec as plain JSON values with lowerCamelCase keys."""
        return self.model_dump(mode="json", by_alias=True)


class Model(Resource):
    """Which candidates are trained on which data, and which gates the winner must pass."""

    kind: Literal["Model"] = "Model"
    """Always ``Model``."""
    spec: ModelSpec
    """What is wanted."""
