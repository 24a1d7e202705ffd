"""What a model of each task answers: the one matrix that an algorithm gives becomes the named outputs of an artifact.

The last output is that matrix, and what parity and golden rows are about; ``prediction``, where it is another, follows
from it inside the graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import FLOAT, INT64, STRING, GraphBuilder, cast
from gnomon.inference.signature import Output, Signature
from gnomon.resources.learning import Algorithm, Task

_ELEMENTS = {"FP32": FLOAT, "INT64": INT64, "BYTES": STRING}


@dataclass(frozen=True)
class Meaning:
    """What the answers of an algorithm mean in a task.

    Args:
        task: The task.
        width: Columns of the answers.
        nearest: Clusters: whether the least answer names the cluster (a distance), or the largest (a probability).
        threshold: Anomalies: the score above which a row is one.
    """

    task: Task
    width: int = 1
    nearest: bool = False
    threshold: float = 0.0

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs of an artifact, ``prediction`` first."""
        match self.task:
            case "classification":
                return Output("prediction", "BYTES"), Output("probabilities", "FP32", (self.width,))
            case "clustering":
                name = "distances" if self.nearest else "probabilities"
                return Output("prediction", "INT64"), Output(name, "FP32", (self.width,))
            case "reduction":
                return (Output("prediction", "FP32", (self.width,)),)
            case "anomaly":
                return Output("prediction", "INT64"), Output("score", "FP32")
            case "regression" | "density" | "forecasting":
                return (Output("prediction", "FP32"),)


def measures_distance(algorithm: Algorithm) -> bool:
    """Return whether a clustering algorithm answers with distances; the others answer with probabilities."""
    return algorithm == "k-means"


def emit_outputs(graph: GraphBuilder, answers: str, meaning: Meaning, classes: tuple[str, ...]) -> None:
    """Emit the outputs from the answers, float32 (N, width)."""
    *prediction, main = meaning.outputs
    values = answers if main.shape else graph.node("Reshape", answers, graph.integers(-1))
    emitted = {main.name: values}
    match meaning.task:
        case "classification":
            likeliest = graph.node("ArgMax", values, axis=1, keepdims=0)
            emitted["prediction"] = graph.node("Gather", graph.constant(np.array(classes, dtype=object)), likeliest)
        case "clustering":
            emitted["prediction"] = graph.node("ArgMin" if meaning.nearest else "ArgMax", values, axis=1, keepdims=0)
        case "anomaly":
            above = graph.node("Greater", values, graph.constant(np.array(meaning.threshold, dtype=np.float32)))
            emitted["prediction"] = cast(graph, above, INT64)
        case _:
            pass
    for output in (*prediction, main):
        graph.add_output(output.name, emitted[output.name], _ELEMENTS[output.datatype], output.shape)


def follows(signature: Signature, answers: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return on which rows ``prediction`` is what the last output says; a score alone does not tell its threshold."""
    main = answers[signature.outputs[-1].name]
    match signature.task:
        case "classification":
            names = np.array(signature.classes, dtype=object)
            agrees = answers["prediction"].astype(object) == names[main.argmax(axis=1)]
        case "clustering":
            best = main.argmin(axis=1) if signature.outputs[-1].name == "distances" else main.argmax(axis=1)
            agrees = answers["prediction"] == best
        case _:
            agrees = np.ones(len(main), dtype=np.bool_)
    return np.asarray(agrees, dtype=np.bool_)


def is_steady(signature: Signature, answers: Mapping[str, NDArray[Any]], threshold: float, lead: float) -> NDArray[np.bool_]:
    """Return on which rows any processor gives the same ``prediction``: those where the answer leads by more than rounding.

    Where no row does, all are steady: every class is about as likely everywhere.

    Args:
        signature: What the answers are.
        answers: The outputs by name.
        threshold: The threshold of the score.
        lead: By how much an answer must lead, as a share of the largest beside it, or of 1.
    """
    main = answers[signature.outputs[-1].name].astype(np.float64)
    finite = np.isfinite(main) if main.ndim == 1 else np.isfinite(main).all(axis=1)
    match signature.task:
        case "classification" | "clustering" if main.shape[1] > 1:
            ranked = np.sort(-main if signature.outputs[-1].name == "distances" else main, axis=1)
            gaps, sizes = ranked[:, -1] - ranked[:, -2], np.abs(ranked[:, -1])
        case "anomaly":
            gaps, sizes = np.abs(main - threshold), np.abs(main)
        case _:
            return np.asarray(finite)
    leads = finite & (gaps > lead * np.maximum(1.0 if signature.task != "anomaly" else 0.0, sizes))
    return np.asarray(leads if leads.any() else finite, dtype=np.bool_)
