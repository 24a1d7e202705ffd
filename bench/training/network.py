"""Our neural network beside scikit-learn's at equal accuracy: processor seconds of the fit."""

import json
import os
import sys
from pathlib import Path

from bench.environments import clean_environment
from bench.table import Row, median
from bench.training.network_fit import FASHION_MNIST
from bench.usage import used_by

_SCRIPT = Path(__file__).with_name("network_fit.py")
_SEEDS = (1, 2, 3)
_SLACK = 0.003
"""Accuracy is equal where it is at most this much below the peer's."""
_GOALS = {"digits": 3.0, "fashion-mnist": 1.3}


def network_rows() -> list[Row]:
    """Return a row for digits and one for Fashion-MNIST, where Debian's package of it is installed; about a minute."""
    return [_row(data, goal) for data, goal in _GOALS.items()]


def _row(data: str, goal: float) -> Row:
    what = f"neural network on {data}, to scikit-learn's accuracy: CPU of the fit"
    told = f"≥ {goal:g} x, accuracy no lower"
    if data == "fashion-mnist" and not FASHION_MNIST.is_dir():
        note = f"{FASHION_MNIST} is absent: apt install dataset-fashion-mnist"
        return Row("training", what, None, None, None, "s", None, told, None, note)
    fits = {engine: [_fit(engine, data, seed) for seed in _SEEDS] for engine in ("ours", "scikit-learn")}
    (ours, our_accuracy), (theirs, their_accuracy) = (
        (median([cpu_s for cpu_s, _ in made]), median([accuracy for _, accuracy in made])) for made in fits.values()
    )
    holds = theirs / ours >= goal and our_accuracy >= their_accuracy - _SLACK
    note = f"accuracy on unseen rows: ours {our_accuracy:.4f}, MLPClassifier {their_accuracy:.4f}"
    return Row("training", what, ours, theirs, None, "s", theirs / ours, told, holds, note)


def _fit(engine: str, data: str, seed: int) -> tuple[float, float]:
    variables = {**clean_environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    line = used_by([sys.executable, str(_SCRIPT), engine, data, str(seed)], Path(os.curdir), variables).output
    measured = json.loads(line.splitlines()[-1])
    return measured["cpu_s"], measured["accuracy"]
