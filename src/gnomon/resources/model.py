"""Kind Model: which candidates are trained on which data, and which gates the winner must pass."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from gnomon.resources.base import ColumnName, Name, Resource, Strict
from gnomon.resources.quantities import ByteSize, Duration, Share

Task = Literal["regression", "classification"]
Algorithm = Literal["linear", "ridge", "logistic", "random-forest", "hist-gradient-boosting", "lightgbm"]
Metric = Literal[
    "rmse", "mae", "r2", "accuracy", "balancedAccuracy", "f1", "precision", "recall", "logLoss", "rocAuc", "latencyP99", "size"
]
Scalar = bool | int | float | str


class Range(Strict):
    """``n`` values from the first to the last bound, evenly spaced, or evenly spaced in logarithm."""

    log: tuple[float | int, float | int] | None = None
    linear: tuple[float | int, float | int] | None = None
    n: Annotated[int, Field(ge=1, le=1000)] = 5


class Candidate(Strict):
    """One algorithm; ``search`` makes one candidate for every combination of its values."""

    algorithm: Algorithm
    name: Name | None = None
    params: dict[str, Scalar] = Field(default_factory=dict)
    search: dict[str, tuple[Scalar, ...] | Range] = Field(default_factory=dict)


class Split(Strict):
    """How rows are divided. By ``time``, the newest rows are the test rows; ``gap`` rows before them are dropped."""

    by: Literal["time", "random", "stratified"] | None = None
    """The default is ``time`` where the dataset declares a time column.

    Without one it is ``stratified`` for classification and ``random`` for regression.
    """
    test: Share = 0.2
    validation: Share = 0.2
    """Share of the rows that are not test rows, used to choose between candidates."""
    gap: Duration = timedelta(0)
    seed: int = 7


class Gate(Strict):
    """A condition on the packed artifact, measured on the untouched test rows. All gates of a model must pass."""

    metric: Metric
    max: float | int | str | None = None
    """Largest value that passes; ``latencyP99`` takes a duration (``5ms``), ``size`` a size (``50MiB``)."""
    min: float | int | None = None
    against: Literal["champion"] | None = None
    """Compare with the artifact that the service runs now, on the same rows. Passes where there is no champion yet."""
    improve_by: Share | None = None
    """With ``against``: the least relative improvement. 0% lets an equal candidate pass."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """With ``against``: the improvement must hold with this probability over a paired bootstrap of the test rows."""
    max_ratio: Annotated[float | int, Field(gt=0)] | None = None
    """With ``against``: the largest ratio of a loss to the champion's that passes, such as 1.02."""


class Retrain(Strict):
    """What starts a run besides the first, and how often."""

    when: tuple[Literal["data", "code"], ...] = ("data", "code")
    cooldown: Duration = timedelta(0)
    max_per_day: Annotated[int, Field(ge=1)] | None = None


class Resources(Strict):
    """What one training step may use."""

    memory: ByteSize | None = None
    timeout: Duration = timedelta(minutes=30)
    parallel: Annotated[int, Field(ge=1)] | None = None
    """Steps at the same time; the default is the number of processors."""


class ModelSpec(Strict):
    """The whole of a Model."""

    task: Task
    dataset: Name
    target: ColumnName
    features: tuple[ColumnName, ...] = ()
    """Raw columns; empty means every column but the target."""
    split: Split = Split()
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    metric: Metric | None = None
    """Chooses between candidates; the default is ``rmse`` for regression and ``logLoss`` for classification."""
    gates: tuple[Gate, ...] = ()
    retrain: Retrain = Retrain()
    resources: Resources = Resources()
    suspend: bool = False

    def json_spec(self) -> dict[str, Any]:
        """Return the spec as plain JSON values with lowerCamelCase keys."""
        return self.model_dump(mode="json", by_alias=True)


class Model(Resource):
    """Which candidates are trained on which data, and which gates the winner must pass."""

    kind: Literal["Model"] = "Model"
    spec: ModelSpec
