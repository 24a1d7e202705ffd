"""A function of the user's repository is called with the training rows, and what it returns becomes something that answers.

``fit(X, y, **params)``: X is a Polars frame of the raw columns (see ``estimators.rows``), y a NumPy array: float64 values, or
int64 indices of the classes. It returns an ONNX model, or, where the Model says ``runtime: python``, an estimator.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import ExportRefusedError, GnomonError, TrainingError
from gnomon.estimators.answers import answers_of
from gnomon.estimators.rows import frame_of
from gnomon.estimators.saving import saved
from gnomon.inference.session import Answering, Cancellation, Predictor
from gnomon.inference.signature import Signature
from gnomon.inference.worker_process import WorkerPredictor
from gnomon.training.matrices import Matrices
from gnomon.training.parity import Parity, checked_parity, compared
from gnomon.training.user_graph import framed

Runtime = Literal["onnx", "python"]
_ROWS_ALONE = 40
"""Rows that are asked one by one, to see that a row's answer does not depend on its neighbours."""


@dataclass(frozen=True, eq=False)
class UserModel:
    """What a function returned: ``content`` is a graph, or the payload of ``estimator``."""

    content: bytes
    estimator: Any | None
    signature: Signature
    candidate: str

    def predictor(self) -> Answering:
        """Return what answers as it will be served."""
        if self.estimator is None:
            return Predictor(self.content, self.signature)
        return WorkerPredictor(self.content, self.signature)

    def answering(self) -> Answering:
        """Return what answers now: enough to choose between candidates, and without the start of a worker."""
        return self.predictor() if self.estimator is None else _Estimator(self)

    def parity(self, predictor: Answering, rows: Matrices, deviation: float) -> Parity:
        """Return how far what will be served is from what the function returned, on real and made-up rows.

        Where the estimator answers by itself, all that is told is that it can.

        The rows must be such as a request may carry: nothing is missing in a column that is not nullable.

        An estimator is held against its payload in another process. A graph is its own native model: there each row alone is
        held against the same row among others.

        Raises:
            ExportRefusedError: They disagree; the cause holds the figures.
        """
        if isinstance(predictor, _Estimator):
            own = _numbers(predictor.predict(rows.feed))
            return compared(own, own, deviation)
        if self.estimator is not None:
            native = self.own_answers(rows.feed)
            return checked_parity(predictor, _numbers(native), rows, deviation, self.candidate)
        together = _numbers(predictor.predict(rows.feed))
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(_ROWS_ALONE, len(rows))).astype(np.int64))
        alone = np.concatenate([_numbers(predictor.predict(rows.take(np.array([row])).feed)) for row in chosen])
        # What is missing may stay missing, as long as it is missing alone, too.
        parity = compared(np.nan_to_num(together[chosen]), np.nan_to_num(alone), deviation)
        if parity.verdict == "refused":
            raise ExportRefusedError(
                f"the ONNX model of candidate {self.candidate} answers {parity.differing} of {parity.rows} rows otherwise when "
                "they are asked alone",
                "let every row be answered by itself",
            )
        return parity

    def own_answers(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return what the estimator itself answers.

        Raises:
            ExportRefusedError: It cannot answer such rows; the cause holds its own words.
        """
        try:
            return answers_of(self.estimator, frame_of(self.signature.inputs, feed), self.signature)
        except GnomonError:
            raise
        except Exception as error:
            told = str(error).partition("\n")[0][:300]
            raise ExportRefusedError(
                f"what candidate {self.candidate} returned cannot answer rows that a request may carry: {told}",
                "let it fill what is missing, as SimpleImputer does, or declare the columns nullable: false in the Dataset",
            ) from error


@dataclass(frozen=True, eq=False)
class _Estimator:
    """Answers with an estimator of this process."""

    model: UserModel

    @property
    def signature(self) -> Signature:
        return self.model.signature

    def predict(self, feed: Mapping[str, NDArray[Any]], cancellation: Cancellation | None = None) -> dict[str, NDArray[Any]]:  # noqa: ARG002 - as of every predictor
        return self.model.own_answers(feed)


def fitted(
    function: Callable[..., Any],
    rows: Matrices,
    target: NDArray[np.float64],
    signature: Signature,
    params: Mapping[str, Any],
    *,
    seed: int,
    runtime: Runtime,
    candidate: str,
) -> UserModel:
    """Call a user's function, and return what it returned.

    Args:
        function: ``fit(X, y, **params)``; it is also given ``seed`` and ``classes``, the names of the classes, where its
            signature names them.
        rows: The training rows.
        target: Their target: values, or indices of classes.
        signature: What the artifact will take and give.
        params: Further arguments.
        seed: Start of every random choice.
        runtime: Whether an estimator may be returned.
        candidate: What errors name.

    Raises:
        TrainingError: The function does not take these parameters, or returned what cannot serve.
    """
    frame = frame_of(signature.inputs, rows.feed)
    wanted = target.astype(np.int64) if signature.classes else target
    offered = {"seed": seed, "classes": list(signature.classes)}
    arguments = {**_offered(function, offered, params), **params}
    _check_call(function, arguments, candidate)
    returned = function(frame, wanted, **arguments)
    content = returned.SerializeToString() if hasattr(returned, "SerializeToString") else returned
    if isinstance(content, bytes | bytearray):
        present = np.unique(wanted).tolist() if signature.classes else []
        graph = framed(bytes(content), signature.inputs, signature.classes, present, candidate)
        return UserModel(graph, None, signature, candidate)
    _check_estimator(returned, signature.classes, runtime, candidate)
    return UserModel(saved(returned, candidate), returned, signature, candidate)


def _offered(function: Callable[..., Any], offered: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the function's signature asks for by name and nobody declared."""
    return {name: offered[name] for name in inspect.signature(function).parameters if name in offered and name not in params}


def _check_call(function: Callable[..., Any], arguments: Mapping[str, Any], candidate: str) -> None:
    try:
        inspect.signature(function).bind(None, None, **arguments)
    except TypeError as error:
        raise TrainingError(
            f"candidate {candidate}: {function.__name__} cannot be called with its parameters: {error}",
            f"define it as {function.__name__}(X, y, …) with a default for each parameter that is not declared",
        ) from error


def _check_estimator(returned: object, classes: Sequence[str], runtime: Runtime, candidate: str) -> None:
    kind = f"{type(returned).__module__}.{type(returned).__qualname__}".removeprefix("builtins.")
    if not callable(getattr(returned, "predict", None)):
        raise TrainingError(
            f"candidate {candidate} returned a {kind}", "return the bytes of an ONNX model, or an estimator with predict"
        )
    if runtime != "python":
        raise TrainingError(
            f"candidate {candidate} returned a {kind}, and the model is served as a graph",
            "return the bytes of an ONNX model, or write spec.runtime: python",
        )
    if classes and not callable(getattr(returned, "predict_proba", None)):
        raise TrainingError(
            f"candidate {candidate} returned a {kind}, which knows no probabilities",
            "wrap it in sklearn.calibration.CalibratedClassifierCV",
        )


def _numbers(answers: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    return answers["probabilities" if "probabilities" in answers else "prediction"].astype(np.float64)
