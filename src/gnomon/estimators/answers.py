"""What an estimator says of rows becomes the outputs of an artifact."""

import warnings
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gnomon.errors import ArtifactError
from gnomon.inference.signature import Signature

_MEND = "let fit return an estimator that has learnt the target as it was given"


def answers_of(estimator: Any, rows: pl.DataFrame, signature: Signature) -> dict[str, NDArray[Any]]:
    """Return ``prediction``, float32 (N,), or for classes their names, object (N,), and ``probabilities``, float32 (N, K).

    Args:
        estimator: Has ``predict``; for classes ``predict_proba``, whose columns are ``classes_``, indices of classes.
        rows: The raw columns.
        signature: Names the classes.

    Raises:
        ArtifactError: The answers have another shape than the signature says.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they speak to whoever fitted it
        if signature.task != "classification":
            values = np.asarray(estimator.predict(rows), dtype=np.float64).reshape(-1)
            if len(values) != len(rows):
                raise ArtifactError(f"predict gave {len(values)} answers to {len(rows)} rows", _MEND)
            with np.errstate(over="ignore"):
                return {"prediction": values.astype(np.float32)}
        given = np.asarray(estimator.predict_proba(rows), dtype=np.float32)
    places = np.asarray(getattr(estimator, "classes_", np.arange(len(signature.classes))))
    classes = len(signature.classes)
    if given.shape != (len(rows), len(places)) or not set(places.tolist()) <= set(range(classes)):
        raise ArtifactError(f"predict_proba gave shape {list(given.shape)} for {len(rows)} rows and {classes} classes", _MEND)
    probabilities = np.zeros((len(rows), classes), dtype=np.float32)
    probabilities[:, places.astype(np.int64)] = given
    names = np.array(signature.classes, dtype=object)
    return {"prediction": names[probabilities.argmax(axis=1)], "probabilities": probabilities}
