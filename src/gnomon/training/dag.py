"""A model's spec becomes the steps that train it. Light: what the steps themselves need is imported by them alone."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from gnomon.data.snapshot import Snapshot
from gnomon.errors import UsageError
from gnomon.pipeline.closure import closure
from gnomon.pipeline.dag import Argument, FromStep, FromStore, FunctionRef, Step
from gnomon.resources.dataset import DatasetSpec
from gnomon.resources.expressions.definitions import reached
from gnomon.resources.feature import definitions_of, feature_names, functions_of
from gnomon.resources.identity import Digest
from gnomon.resources.learning import DEFAULT_CONTAMINATION
from gnomon.resources.model import ModelSpec
from gnomon.training.candidates import CandidatePlan, expand

PREPARED_ITEMS: Mapping[str, str] = {"table": "arrow", "train": "npy", "validation": "npy", "test": "npy", "facts": "json"}
"""The results of ``prepare``, and how each is kept."""

WARM_MODULES = (
    "lightgbm",
    "onnx",
    "pyarrow.compute",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "gnomon.training.search.steps",
)
"""What the process that steps are forked from should import before: a second of CPU for each step. None starts a thread."""

_STEPS = "gnomon/training/steps.py"
_USER_STEPS = "gnomon/training/user_steps.py"


def training_steps(
    spec: ModelSpec,
    dataset: DatasetSpec,
    snapshot: Snapshot,
    snapshot_digest: Digest,
    root: Path,
    champion_inputs: Sequence[str] = (),
    window: Mapping[str, int] | None = None,
    checkout: Path | None = None,
) -> tuple[Step, ...]:
    """Return a ``prepare`` step, and a ``fit-NAME`` step for every candidate.

    Args:
        spec: The model.
        dataset: The dataset that it names.
        snapshot: The rows to learn from; its files are taken from the object store.
        snapshot_digest: What names its manifest in the object store.
        root: The folder that holds the package ``gnomon``.
        champion_inputs: Columns that the champion reads. Those that the model does not read are carried along in the
            table, so that the two can be compared on the same rows.
        window: ``start`` and ``end`` of the event times to learn from, in microseconds since 1970; None for all rows.
        checkout: The folder that holds the commit's code, for candidates that are functions of the repository.

    Raises:
        ManifestError: A candidate is not valid.
    """
    features = feature_names(spec.features)
    carried = [name for name in champion_inputs if spec.features and name not in features and name != spec.target]
    if spec.features or spec.task == "forecasting":
        sliced = {gate.by for gate in spec.gates if gate.by is not None} - {*features, spec.target, *carried}
        carried += sorted(sliced)
    definitions = {**definitions_of(dataset.features), **definitions_of(spec.features)}
    needed = reached(features if spec.features else tuple(definitions), definitions)
    functions = [{"python": each, "code": _code(checkout, each, "a feature")} for each in functions_of(spec.features)]
    prepare = Step(
        name="prepare",
        work=FunctionRef(root, _STEPS, "prepare"),
        params={
            "task": spec.task,
            "target": spec.target,
            "features": list(features),
            "split": spec.split.model_dump(mode="json", by_alias=True),
            "time": dataset.time,
            **_of_task(spec),
            # Left out where there are none, so that a run with and one without a champion share their steps.
            **({"carried": carried} if carried else {}),
            **({"window": dict(window)} if window is not None else {}),
            **({"definitions": needed} if needed else {}),
            **({"functions": functions} if functions else {}),
        },
        settings={"checkout": str(checkout)} if functions else {},
        inputs={
            "snapshot": FromStore(snapshot_digest, "bytes"),
            "files": tuple(FromStore(file.digest, "path") for file in snapshot.files),
        },
        **step_limits(spec),
    )
    prepared = {item: FromStep("prepare", item) for item in PREPARED_ITEMS}
    fits = (_fit_step(spec, candidate, prepared, root, checkout) for candidate in expand(spec))
    return prepare, *fits


def refit_step(
    spec: ModelSpec,
    candidate: CandidatePlan,
    prepared: Mapping[str, FromStore | FromStep],
    root: Path,
    checkout: Path | None = None,
) -> Step:
    """Return the step ``refit-NAME``, which fits the chosen candidate on training and validation rows and exports it.

    Args:
        spec: The model.
        candidate: The plan that was chosen.
        prepared: Where the results of ``prepare`` are, by the names of ``PREPARED_ITEMS``.
        root: The folder that holds the package ``gnomon``.
        checkout: The folder that holds the commit's code.
    """
    return Step(
        name=f"refit-{candidate.name}",
        **_work(spec, candidate, root, checkout, ("refit", "refit_user")),
        inputs={item: prepared[item] for item in PREPARED_ITEMS},
        **step_limits(spec),
    )


def _of_task(spec: ModelSpec) -> dict[str, Any]:
    """Return what forecasting and anomaly models declare besides; nothing for other tasks, whose steps keep their keys."""
    if spec.task == "anomaly":
        return {"contamination": DEFAULT_CONTAMINATION if spec.contamination is None else spec.contamination}
    if spec.task != "forecasting":
        return {}
    ahead = spec.horizon if isinstance(spec.horizon, timedelta) else None
    steps = (spec.horizon or 1) if ahead is None else None
    microseconds = ahead // timedelta(microseconds=1) if ahead is not None else None
    return {"forecast": {"steps": steps, "microseconds": microseconds, "series": list(spec.series), "season": spec.season}}


def _fit_step(
    spec: ModelSpec, candidate: CandidatePlan, prepared: Mapping[str, Argument], root: Path, checkout: Path | None
) -> Step:
    return Step(
        name=f"fit-{candidate.name}",
        **_work(spec, candidate, root, checkout, ("fit_candidate", "fit_user")),
        inputs={item: prepared[item] for item in PREPARED_ITEMS if item != "test"},
        **step_limits(spec),
    )


def _work(
    spec: ModelSpec, candidate: CandidatePlan, root: Path, checkout: Path | None, functions: tuple[str, str]
) -> dict[str, Any]:
    """Return which of two functions, ours or the one for a user's, a candidate's step calls, and what it is told."""
    told = named_apart(candidate)
    ours, users = functions
    if not candidate.python:
        gpu = spec.resources.gpu if candidate.algorithm.startswith("torch-") else 0
        return {"work": FunctionRef(root, _STEPS, ours), "gpu": gpu, **told}
    # Where the code lies is no part of the key; what it is, is.
    code = _code(checkout, candidate.python, f"candidate {candidate.name}")
    params = {**told["params"], "code": code, "runtime": spec.runtime}
    settings = {**told["settings"], "checkout": str(checkout)}
    return {"work": FunctionRef(root, _USER_STEPS, users), "gpu": spec.resources.gpu, "params": params, "settings": settings}


def _code(checkout: Path | None, python: str, what: str) -> str:
    """Return the digest of a function of the repository and of all that it reaches there."""
    if checkout is None:
        raise UsageError(f"{what} is a function of a repository", "train it through an operator")
    file, _, function = python.partition(":")
    return closure(FunctionRef(checkout, file, function)).digest


def named_apart(candidate: CandidatePlan) -> dict[str, Any]:
    """Return what a step is told of a candidate. Its name is no part of the key: numbers shift when values are added."""
    plan = candidate.to_json()
    return {"settings": {"name": plan.pop("name")}, "params": {"candidate": plan}}


def step_limits(spec: ModelSpec) -> dict[str, Any]:
    """Return what every step of a model starts from, and what it may use."""
    return {"seed": spec.split.seed, "timeout": spec.resources.timeout, "memory_bytes": spec.resources.memory}
