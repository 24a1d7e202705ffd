"""The matrices that an artifact takes become the table that user code sees: the same in training as in serving."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn


def frame_of(inputs: Sequence[InputColumn], feed: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    """Return the raw columns by name, in the order of ``inputs``.

    A float is Float64 with NaN for missing; an integer Int64, a boolean Boolean, a timestamp Datetime in microseconds UTC and
    text String, each with null for missing. Numbers have the precision of float32, as every model sees them.
    """
    return pl.DataFrame([_series(column, feed[column.matrix][:, column.index]) for column in inputs])


def _series(column: InputColumn, values: NDArray[Any]) -> pl.Series:
    match column.kind:
        case "float":
            return pl.Series(column.name, values.astype(np.float64))
        case "integer" | "boolean":
            kind = pl.Int64 if column.kind == "integer" else pl.Boolean
            numbers = pl.Series(column.name, values.astype(np.float64)).fill_nan(None)
            # An infinite number is a missing one, as for every model.
            finite = pl.when(numbers.is_finite()).then(numbers)
            return pl.select(finite.cast(pl.Int64, strict=False).cast(kind).alias(column.name)).to_series()
        case "timestamp":
            stamps = pl.Series(column.name, values.astype(np.int64))
            known = pl.when(stamps != MISSING_TIMESTAMP).then(stamps)
            return pl.select(known.cast(pl.Datetime("us", "UTC")).alias(column.name)).to_series()
        case "string":
            texts = pl.Series(column.name, values.tolist(), dtype=pl.String)
            return pl.select(pl.when(texts != "").then(texts).alias(column.name)).to_series()
