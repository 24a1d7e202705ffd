"""Answers without a target become what metrics take: clusters, log-densities, components or verdicts, with figures by row."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.evaluation.answers import Answers
from gnomon.evaluation.predictions import Judged
from gnomon.evaluation.scene import Scene
from gnomon.training.structure import kept_neighbours, losses_of, silhouettes, way_back

Floats = NDArray[np.float64]

VERDICTS = ("normal", "anomalous")


def structure_answers(judged: Judged, scene: Scene | None, labels: Any, contamination: float, seed: int) -> Answers:
    """Return the answers of a model that learns no target.

    Args:
        judged: The model, which answered the test rows.
        scene: What clusters and components are measured in.
        labels: Anomalies: the column of labels of the rows, without nulls; None where there is none.
        contamination: Anomalies: the share of rows that is taken to be anomalous.
        seed: Draws the rows whose neighbours are looked at.
    """
    prediction = judged.output("prediction")
    match judged.signature.task:
        case "anomaly":
            return _anomalies(prediction, judged.output("score").astype(np.float64), labels, contamination)
        case "clustering" if scene is not None:
            figures = {"silhouette": silhouettes(scene.points, prediction, seed)}
            return _answers("clustering", prediction, points=scene.points, figures=figures)
        case "reduction" if scene is not None:
            components = _finite(prediction)
            back = way_back(_finite(judged.predictions(scene.learnt)), scene.learnt_points)
            whole = np.square(scene.points - scene.learnt_points.mean(axis=0)).sum(axis=1)
            figures = {
                "lost": losses_of(components, scene.points, back),
                "whole": np.asarray(whole),
                "trustworthiness": kept_neighbours(scene.points, components, seed),
            }
            return _answers("reduction", components, points=scene.points, figures=figures)
        case task:
            density = prediction.astype(np.float64)
            return _answers(task, np.where(np.isfinite(density), density, np.nan))


def _finite(values: NDArray[Any]) -> Floats:
    return np.nan_to_num(values.astype(np.float64))


def _answers(task: str, predicted: NDArray[Any], **besides: Any) -> Answers:
    return Answers(np.zeros(len(predicted)), predicted, task=task, **besides)


def _anomalies(flagged: NDArray[np.int64], score: Floats, labels: Any, contamination: float) -> Answers:
    """Return anomalies as two classes, of which the second is asked for; its ranking is that of the score."""
    if labels is None:
        return _answers("anomaly", flagged, contamination=contamination, figures={"score": score})
    actual = np.asarray(labels.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) > 0, dtype=np.int64)
    return Answers(
        actual,
        flagged,
        np.stack([-score, score], axis=1),
        VERDICTS,
        task="anomaly",
        asked_class=1,
        contamination=contamination,
        figures={"score": score},
    )
