"""A repository that declares a model for each built-in algorithm and task, on small real tables."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import yaml
from sklearn import datasets

from gnomon.resources.learning import TASKS_BY_ALGORITHM, Algorithm, Task
from tests.training.tables import real_table

PARAMS: Mapping[str, Mapping[str, Any]] = {
    "random-forest": {"n_estimators": 5},
    "extra-trees": {"n_estimators": 5},
    "lightgbm": {"n_estimators": 8},
    "xgboost": {"n_estimators": 8},
    "hist-gradient-boosting": {"max_iter": 5},
    "isolation-forest": {"n_estimators": 5},
    "neural-network": {"epochs": 3},
    "k-means": {"n_clusters": 3},
    "gaussian-mixture": {"n_components": 2, "n_init": 1},
}
"""Quick ones: what is drawn or summed in another order shows in a few trees as in many."""
PAIRS: tuple[tuple[Algorithm, Task], ...] = tuple(
    (algorithm, task)
    for algorithm, tasks in TASKS_BY_ALGORITHM.items()
    for task in tasks
    if algorithm != "python" and not algorithm.startswith("torch-")
)
"""Every built-in algorithm with every task that it learns; PyTorch's are tested where that is."""
_KINDS: Mapping[Task, tuple[str, str | None]] = {
    "regression": ("penguins", "body_mass_g"),
    "classification": ("penguins", "species"),
    "clustering": ("iris", None),
    "density": ("iris", None),
    "reduction": ("iris", None),
    "anomaly": ("iris", None),
    "forecasting": ("departures", "flights"),
}


def model_name(algorithm: str, task: str) -> str:
    """Return the name of the model for an algorithm and a task."""
    return f"{algorithm}-{task}"


def files() -> dict[str, str]:
    """Return the files of the repository."""
    day = pl.col("scheduled_at").dt.truncate("1d").alias("day")
    departures = real_table("delays").frame.group_by(day, "origin").agg(pl.len().alias("flights")).sort("day", "origin")
    tables = {
        "penguins": real_table("species").frame.head(240).sample(fraction=1, shuffle=True, seed=1),
        "iris": pl.DataFrame(datasets.load_iris().data.round(2), schema=["a", "b", "c", "d"]),
        "departures": departures.head(300),
    }
    found = {f"data/{name}.csv": frame.write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ") for name, frame in tables.items()}
    for name in tables:
        time = {"time": "day"} if name == "departures" else {}
        found[f"datasets/{name}.yaml"] = _manifest("Dataset", name, {"source": {"files": f"data/{name}.csv"}, **time})
    for algorithm, task in PAIRS:
        found[f"models/{model_name(algorithm, task)}.yaml"] = _model(algorithm, task)
    return found


def _model(algorithm: str, task: Task) -> str:
    dataset, target = _KINDS[task]
    spec: dict[str, Any] = {
        "task": task,
        "dataset": dataset,
        **({"target": target} if target else {}),
        **({"series": ["origin"], "horizon": 2} if task == "forecasting" else {}),
        "candidates": [{"algorithm": algorithm, "params": dict(PARAMS.get(algorithm, {}))}],
    }
    return _manifest("Model", model_name(algorithm, task), spec)


def _manifest(kind: str, name: str, spec: Mapping[str, Any]) -> str:
    document = {"apiVersion": "gnomon.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
    return yaml.safe_dump(document, sort_keys=False)
