"""The validation rows become the figures of a candidate, by its task: enough to choose between candidates.

They are measured on the candidate's graph, not on the estimator. Gates are judged elsewhere, on rows that chose nothing.
"""

import numpy as np
from numpy.typing import NDArray

from gnomon.inference.session import Answering
from gnomon.training.losses import (
    anomaly_figures,
    classification_figures,
    clustering_figures,
    density_figures,
    forecasting_figures,
    reduction_figures,
    regression_figures,
)
from gnomon.training.matrices import Matrices
from gnomon.training.preparation import Facts
from gnomon.training.structure import Space, evenly

Rows = NDArray[np.int64]


def validation_figures(
    predictor: Answering, facts: Facts, raw: Matrices, target: NDArray[np.float64], train: Rows, validation: Rows
) -> dict[str, float]:
    """Return the metrics of a graph on the validation rows; what is undefined there is left out.

    Args:
        predictor: The graph.
        facts: What is known of the prepared table.
        raw: All rows.
        target: Their target, see ``preparation.target_values``.
        train: The rows that the candidate learnt from, which span the space that clusters and components are measured in.
        validation: The rows to measure on.
    """
    rows, actual = raw.take(validation), target[validation]
    answers = predictor.predict(rows.feed)
    prediction = answers["prediction"]
    match facts.task:
        case "classification":
            figures = classification_figures(actual.astype(np.int64), answers["probabilities"].astype(np.float64))
        case "regression":
            figures = regression_figures(actual, prediction.astype(np.float64))
        case "forecasting":
            figures = forecasting_figures(actual, prediction.astype(np.float64), facts.naive_error)
        case "density":
            figures = density_figures(prediction.astype(np.float64))
        case "anomaly":
            figures = anomaly_figures(actual, prediction, answers["score"].astype(np.float64), facts.contamination)
        case "clustering":
            points = Space(raw.take(evenly(train))).of(rows)
            figures = clustering_figures(points, prediction, facts.seed)
        case "reduction":
            learnt = raw.take(evenly(train))
            space = Space(learnt)
            known = predictor.predict(learnt.feed)["prediction"].astype(np.float64)
            figures = reduction_figures(known, space.of(learnt), prediction.astype(np.float64), space.of(rows), facts.seed)
    return {name: value for name, value in figures.items() if np.isfinite(value)}
