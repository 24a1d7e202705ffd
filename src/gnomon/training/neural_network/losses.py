"""How far answers are from targets, and which way they should move: means over rows, sums over outputs.

With N rows, answers a and targets y: squared_error is 1/(2N) sum (a - y)², absolute_error 1/N sum |a - y|,
cross_entropy -1/N sum y ln a. Rows may weigh more or less; the weights of all training rows have the mean 1.
"""

from typing import Literal

import numpy as np

from gnomon.training.neural_network.activations import Array, Output, multiply_by_output_derivative

Loss = Literal["squared_error", "absolute_error", "cross_entropy"]
"""``cross_entropy`` needs the output ``softmax``; the other two take either."""


def loss_of(loss: Loss, answers: Array, targets: Array, weights: Array | None = None) -> float:
    """Return the loss of N rows.

    Args:
        loss: Which.
        answers: (N, K).
        targets: (N, K): values, or 1 for the row's class and 0 for every other.
        weights: (N,), the weight of each row; None for 1.
    """
    match loss:
        case "squared_error":
            rows = 0.5 * np.square(answers - targets).sum(axis=1)
        case "absolute_error":
            rows = np.abs(answers - targets).sum(axis=1)
        case "cross_entropy":
            rows = -(targets * np.log(np.maximum(answers, np.finfo(answers.dtype).tiny))).sum(axis=1)
    return float((rows if weights is None else rows * weights).mean())


def slopes_in_sums(loss: Loss, output: Output, answers: Array, targets: Array, slopes: Array, weights: Array | None) -> None:
    """Write the gradient of the loss in the sums of the last layer into ``slopes``, (N, K) like answers and targets.

    For softmax with cross-entropy it is (a - y) / N, without a quotient that could overflow (Bridle 1990, Neurocomputing,
    NATO ASI F68:227).
    """
    np.subtract(answers, targets, out=slopes)
    if loss == "absolute_error":
        np.sign(slopes, out=slopes)
    if loss != "cross_entropy":
        multiply_by_output_derivative(output, slopes, answers)
    slopes *= 1 / len(slopes)
    if weights is not None:
        slopes *= weights[:, np.newaxis]
