"""Kind Model: which candidates are trained on which data, and which gates the winner must pass."""

import math
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from gnomon.resources.base import ColumnName, Name, Resource, Strict
from gnomon.resources.cron import Cron, TimeZone
from gnomon.resources.feature import NamedFeature, functions_of
from gnomon.resources.learning import BASELINE_TASKS, METRICS_WITHOUT_BASELINE, PACKED_METRICS, Algorithm, Metric, Task
from gnomon.resources.quantities import ByteSize, Duration, Moment, Months, Share, Span
from gnomon.resources.search import Search

Scalar = bool | int | float | str
Value = Scalar | tuple[int, ...]
"""A parameter's value; a list of whole numbers is one value, such as the widths of a network's layers."""


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
    Annotated[tuple[Value, ...], Tag("values")] | Annotated[Range, Tag("range")],
    Discriminator(
        _search_shape,
        custom_error_type="search_values",
        custom_error_message="write a list of values, or a range such as {log: [0.001, 1000], n: 4}",
    ),
]
"""What a parameter may be: a list of values, or a range that stands for one."""


class Candidate(Strict):
    """One algorithm; ``search`` makes one candidate for every combination of its values."""

    algorithm: Algorithm = "python"
    """What is fitted; left out where ``python`` says it."""
    python: str | None = None
    """A function of the repository, as ``file.py:name``, that fits instead of an algorithm: ``fit(X, y, **params)``."""
    name: Name | None = None
    """What reports call it; the default is the algorithm."""
    params: dict[str, Value] = Field(default_factory=dict)
    """Parameters of the algorithm, under their names in its library, or of the function."""
    search: dict[str, SearchValues] = Field(default_factory=dict)
    """Parameters to try: lists of values, or ranges. Every combination is a candidate."""
    random: Annotated[int, Field(ge=1, le=1000)] | None = None
    """So many combinations drawn at random instead of every one, the same for the same ``split.seed``.

    Ranges are then drawn from evenly, or evenly in logarithm, between their bounds.
    """

    @property
    def combinations(self) -> int:
        """How many candidates the search comes to."""
        if self.random is not None:
            return self.random
        return math.prod(values.n if isinstance(values, Range) else len(values) for values in self.search.values())


class Split(Strict):
    """How rows are divided. By ``time``, the newest rows are the test rows."""

    by: Literal["time", "random", "stratified", "group"] | None = None
    """The default is ``time`` where the dataset declares a time column.

    Without one it is ``stratified`` for classification and ``random`` for other tasks. Forecasting is always by ``time``.
    """
    column: ColumnName | None = None
    """By ``group`` only: the column whose equal values name a group. Rows of a group stay on one side."""
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
    against: Literal["champion", "baseline"] | None = None
    """Compare on the same rows with ``champion``, the artifact that the service runs now, or with ``baseline``, what needs no
    model, such as the mean. Passes where there is no champion yet.
    """
    improve_by: Share | None = None
    """With ``against``: the least relative improvement. 0% lets an equal candidate pass."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """With ``against``: the improvement must hold with this probability over a paired bootstrap of the test rows."""
    max_ratio: Annotated[float | int, Field(gt=0)] | None = None
    """With ``against``: by which factor the candidate may be worse, such as 1.02. With ``by``: a slice than the whole."""
    by: ColumnName | None = None
    """Hold the condition in every slice of this column: each of its values, or each quarter of a number or a time."""
    max_gap: Share | None = None
    """With ``by``: how far apart the largest and the smallest slice's figure may be, of metrics from 0 to 1."""
    min_rows: Annotated[int, Field(ge=1)] | None = None
    """With ``by``: slices with fewer test rows are left out. The default is 100."""


class Backfill(Strict):
    """Which past windows are wanted besides the newest: so many of them, or all since a moment."""

    windows: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The newest so many complete windows that hold rows."""
    since: Moment | None = None
    """Every complete window that starts then or later."""


class Window(Strict):
    """Train on the rows of one window of event time after the other, each half-open: ``[start, end)``, in UTC."""

    span: Span
    """How much time a window covers; ``1mo`` and ``1y`` follow the calendar."""
    every: Span | None = None
    """From the end of one window to the end of the next; the default is ``span``. Less overlaps, more leaves gaps."""
    origin: Moment | None = None
    """A moment at which a window ends, and others follow in steps of ``every``.

    The default is the first of January where ``every`` is of months, and Monday, 1970-01-05, where it is of fixed length.
    """
    lateness: Duration | None = None
    """A window is complete when rows of this much after its end are there. Rows that come later still count.

    Without it, a window is complete when rows reach its end to within a hundredth of its span: 7 hours of a month.
    """
    closed_until: Moment | None = None
    """Rows before this moment are all there: windows up to it are complete, even if no later row ever comes."""
    backfill: Backfill | None = None
    """Which past windows are wanted; without it, the newest complete one alone."""

    @property
    def step(self) -> timedelta | Months:
        """From the end of one window to the end of the next."""
        return self.span if self.every is None else self.every


class Retrain(Strict):
    """What starts a run besides the first, and how often. A changed spec starts one whatever stands here."""

    when: tuple[Literal["data", "code"], ...] | None = None
    """Which changes start a run at once. The default is ``data`` and ``code``, or with a ``schedule`` nothing."""
    schedule: Cron | None = None
    """When all that has changed is taken up: minute, hour, day of the month, month, day of the week, such as ``0 3 * * 1``."""
    timezone: TimeZone = "UTC"
    """The zone of that time of day, such as ``Europe/Brussels``."""
    cooldown: Duration = timedelta(0)
    """Least time between the starts of two runs (of one window)."""
    max_per_day: Annotated[int, Field(ge=1)] | None = None
    """Most runs (of one window) in 24 hours."""

    @property
    def at_once(self) -> tuple[str, ...]:
        """Which changes start a run as soon as they are seen."""
        if self.when is not None:
            return self.when
        return () if self.schedule is not None else ("data", "code")


class Resources(Strict):
    """What one training step may use."""

    memory: ByteSize | None = None
    """A step that takes more is ended."""
    timeout: Duration = timedelta(minutes=30)
    """A step that takes longer is ended."""
    parallel: Annotated[int, Field(ge=1)] | None = None
    """Steps of one run at the same time, and runs for windows at the same time; the default is the number of processors."""
    gpu: Annotated[int, Field(ge=0, le=64)] = 0
    """How many GPUs a step holds that fits a network of PyTorch or runs ``python``; it sees those alone."""


class ModelSpec(Strict):
    """The whole of a Model."""

    task: Task
    """What kind of answer the model gives."""
    dataset: Name
    """The Dataset of this namespace to learn from."""
    target: ColumnName | None = None
    """The column to predict. For ``anomaly`` it may name labels, which only measure; other tasks without a target have none."""
    features: tuple[NamedFeature, ...] = ()
    """Columns and features of the dataset by name, and features of the model's own.

    Empty means every column and every feature of the dataset but the target.

    For ``forecasting`` these must be known ahead, such as a holiday or a price; empty means the past of the target alone.
    """
    horizon: Annotated[int, Field(ge=1)] | Duration | None = None
    """``forecasting`` only: how far ahead, in steps of the series or as a duration. The default is 1 step."""
    series: tuple[ColumnName, ...] = ()
    """``forecasting`` only: columns that tell several series in one table apart."""
    season: Annotated[int, Field(ge=2)] | None = None
    """``forecasting`` only: after how many steps the pattern repeats.

    The default follows from the step: 24 for hours, 7 for days, 52 for weeks, 12 for months.
    """
    contamination: Share | None = None
    """``anomaly`` only: the share of rows that is taken to be anomalous, which sets the threshold. The default is 5%."""
    split: Split = Split()
    """Which rows are for fitting, choosing and judging."""
    window: Window | None = None
    """Train on windows of event time, each by itself; without it, on all rows."""
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    """What is tried; the best on the validation rows is judged by the gates."""
    search: Search = Search()
    """How the best candidate is found."""
    metric: Metric | None = None
    """Chooses between candidates. The default is ``rmse`` for regression and forecasting, ``logLoss`` for classification,
    ``silhouette`` for clustering, ``logLikelihood`` for density, ``explainedVariance`` for reduction, and for anomaly
    ``averagePrecision`` with a target, ``shareError`` without.
    """
    gates: tuple[Gate, ...] = ()
    """What the best candidate must pass to become a version."""
    beat_baseline: bool = True
    """Refuse what is not better than the baseline of its task, such as the mean, by the metric that chooses."""
    retrain: Retrain = Retrain()
    """What starts further runs."""
    resources: Resources = Resources()
    """What one training step may use."""
    runtime: Literal["onnx", "python"] = "onnx"
    """How it is served: as a graph, or, where the winner is a ``python`` candidate that returned an estimator, by isolated
    processes of Python."""
    suspend: bool = False
    """Leave it as it is: no new runs."""

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that candidates and features name, as ``file.py:name``, each once."""
        fitting = (candidate.python for candidate in self.candidates if candidate.python)
        return tuple(dict.fromkeys((*fitting, *functions_of(self.features))))

    def json_spec(self) -> dict[str, Any]:
        """Return the spec as plain JSON values with lowerCamelCase keys."""
        return self.model_dump(mode="json", by_alias=True)


def has_baseline(spec: ModelSpec, metric: Metric) -> bool:
    """Return whether something that needs no model can be measured by this metric."""
    if spec.task not in BASELINE_TASKS or metric in METRICS_WITHOUT_BASELINE | PACKED_METRICS:
        return False
    return spec.task != "anomaly" or spec.target is not None


class Model(Resource):
    """Which candidates are trained on which data, and which gates the winner must pass."""

    kind: Literal["Model"] = "Model"
    """Always ``Model``."""
    spec: ModelSpec
    """What is wanted."""
