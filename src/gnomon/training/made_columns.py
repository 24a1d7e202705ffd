"""Functions of the user's repository make columns of the rows, which become features under their names."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from gnomon.data.snapshot import SnapshotColumn
from gnomon.data.values import natural_type
from gnomon.errors import TrainingError
from gnomon.pipeline.loading import load_function


def made_columns(
    rows: pl.LazyFrame, functions: Sequence[Mapping[str, str]], target: str | None, checkout: str | None
) -> pl.DataFrame | None:
    """Return the columns that functions add to the rows, in the order of the rows; None where there are no functions.

    Each is given all rows and columns but the target, in memory.

    Args:
        rows: The rows.
        functions: ``python``, as ``file.py:function``, and the digest of its ``code``.
        target: What is learnt, which no feature may know.
        checkout: The folder that holds the files of the commit.

    Raises:
        TrainingError: A function fails, or returns other rows or columns that cannot be features; the cause names it.
    """
    if not functions or checkout is None:
        return None
    frame = rows.drop([target] if target is not None else []).collect(engine="streaming")
    made: dict[str, pl.Series] = {}
    for function in functions:
        file, _, name = function["python"].partition(":")
        for column in _called(load_function(Path(checkout), file, name), function["python"], frame):
            if column.name in made or column.name == target:
                raise TrainingError(
                    f"{function['python']} makes the column {column.name}, which there is already", "give it another name"
                )
            made[column.name] = column
    return pl.DataFrame(list(made.values()))


def snapshot_columns(made: pl.DataFrame) -> tuple[SnapshotColumn, ...]:
    """Return what columns that functions made are, as a snapshot lists its own."""
    return tuple(SnapshotColumn(name, natural_type(dtype) or "string", nullable=True) for name, dtype in made.schema.items())


def _called(function: Callable[..., Any], told: str, frame: pl.DataFrame) -> list[pl.Series]:
    returned = function(frame)
    if isinstance(returned, pl.LazyFrame):
        try:
            returned = returned.collect()
        except PolarsError as error:
            raise TrainingError(f"{told} returned a query that fails: {error}", "mend it, or collect it there") from error
    if not isinstance(returned, pl.DataFrame):
        raise TrainingError(f"{told} returned {type(returned).__name__}", "return the Polars frame with more columns")
    if returned.height != frame.height:
        raise TrainingError(
            f"{told} returned {returned.height} rows for {frame.height}", "return every row, in the order that it was given"
        )
    for name in returned.columns:
        if name in frame.columns and not returned[name].equals(frame[name], null_equal=True):
            raise TrainingError(
                f"{told} returned other values in the column {name}, which it was given",
                "keep the rows in their order, and give new columns new names",
            )
    added = [returned[name] for name in returned.columns if name not in frame.columns]
    if not added:
        raise TrainingError(f"{told} added no column", "return the frame with the features as further columns")
    for column in added:
        if natural_type(column.dtype) is None:
            raise TrainingError(
                f"{told} made the column {column.name} of type {column.dtype}", "make numbers, text, booleans or times"
            )
    return added
