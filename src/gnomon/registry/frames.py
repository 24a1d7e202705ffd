"""Tables of any library become the columns that a model reads. No library is imported: a table is known by what it can do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import InputError

Column = Sequence[Any] | NDArray[Any]

_PLAIN_KINDS = "fiubM"
"""NumPy kinds that the encoder reads as they are: floats, integers, booleans and times."""


def columns_of(data: Any, names: Iterable[str]) -> dict[str, Column]:
    """Return the named columns of a table; those that the table lacks are left out.

    Args:
        data: A mapping from column name to values, a pandas or Polars frame, an Arrow table, or a structured NumPy array.
        names: The columns to take. Others may be there: they are not looked at.

    Raises:
        InputError: ``data`` is no such table.
    """
    if isinstance(data, Mapping):
        return {name: _listed(name, data[name]) for name in names if name in data}
    if isinstance(data, np.ndarray | np.void):  # void: one row of a structured array
        fields = data.dtype.names
        if fields is None:
            raise InputError("the array has no column names", "give a structured array, a frame, or a mapping of columns")
        return {name: np.atleast_1d(data)[name] for name in names if name in fields}
    if hasattr(data, "to_pydict"):  # Arrow
        return {name: data.column(name).to_pylist() for name in names if name in data.column_names}
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return {name: _series(data[name]) for name in names if name in data.columns}
    raise InputError(
        f"a {type(data).__name__} is not a table", "give a mapping of columns, a pandas or Polars frame, or an Arrow table"
    )


def _listed(name: str, values: Any) -> Column:
    if isinstance(values, np.ndarray | list | tuple):
        return values
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise InputError(f"column {name!r} is a single value", "give a list with one value for each row")
    return _series(values)


def _series(values: Any) -> Column:
    """Return a column of a frame: as NumPy array where it has plain values, otherwise as a list with None where missing."""
    if hasattr(values, "isna"):  # pandas
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in _PLAIN_KINDS:
            return np.asarray(values.to_numpy())
        return [None if missing else value for value, missing in zip(values.tolist(), values.isna().tolist(), strict=True)]
    if hasattr(values, "to_list"):  # Polars
        listed: list[Any] = values.to_list()
        return listed
    return list(values)
