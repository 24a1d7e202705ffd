"""``prepare.py FOLDER whole|quick``: the flights as a table for us, and as matrices for the others, encoded once.

Prints how many of the rows choose and judge, and the candidates with all their parameters, as JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

from bench.training.candidates import COUNT, MANIFEST
from bench.training.data import TARGET, TIME, flights
from bench.training.months import QUICK, WHOLE
from gnomon.data.snapshot import SnapshotColumn
from gnomon.resources.model import ModelSpec, Split
from gnomon.training.candidates import expand
from gnomon.training.estimator_inputs import fit_for_linear, fit_for_trees
from gnomon.training.matrices import matrices_of
from gnomon.training.preparation import prepare_rows, target_values
from gnomon.training.row_source import Wanted

_TYPES = {pl.String: "string", pl.Float64: "float64", pl.Boolean: "boolean"}


def main() -> None:
    """Write everything to the folder."""
    folder, months = Path(sys.argv[1]), QUICK if sys.argv[2] == "quick" else WHOLE
    rows = flights(months.first, months.end)
    rows.write_parquet(folder / "flights.parquet")
    judged = rows.filter(pl.col(TIME) >= months.judged).height
    chosen = rows.filter(pl.col(TIME) >= months.chosen).height - judged
    split = {
        "by": "time",
        "test": f"{100 * judged / rows.height:.6f}%",
        "validation": f"{100 * chosen / (rows.height - judged):.6f}%",
    }
    spec = {
        "task": "classification",
        "dataset": "flights",
        "target": TARGET,
        "split": split,
        "metric": "logLoss",
        "candidates": MANIFEST,
    }
    (folder / "model.json").write_text(json.dumps(spec))
    plans = expand(ModelSpec.model_validate(spec, strict=False))
    assert len(plans) == COUNT, len(plans)
    (folder / "candidates.json").write_text(json.dumps([plan.to_json() for plan in plans]))
    _write_matrices(rows, Split.model_validate(split, strict=False), folder)


def _write_matrices(rows: pl.DataFrame, split: Split, folder: Path) -> None:
    """Write the features of all rows, made from the training rows, the target, and which rows are for what."""
    columns = tuple(
        SnapshotColumn(name, _TYPES.get(dtype.base_type(), "timestamp"), nullable=True)  # type: ignore[arg-type]  # its words
        for name, dtype in rows.schema.items()
    )
    wanted = Wanted(task="classification", target=TARGET, features=(), split=split, time=TIME)
    prepared = prepare_rows(rows.lazy(), columns, wanted)
    raw, target = matrices_of(prepared.table, prepared.facts.inputs), target_values(prepared.table, prepared.facts)
    learning = raw.take(prepared.parts.train)
    np.save(folder / "trees.npy", fit_for_trees(learning, target[prepared.parts.train], 2).transform(raw))
    np.save(folder / "linear.npy", fit_for_linear(learning).transform(raw))
    np.save(folder / "target.npy", target.astype(np.int64))
    for name in ("train", "validation", "test"):
        np.save(folder / f"{name}.npy", getattr(prepared.parts, name))


if __name__ == "__main__":
    main()
