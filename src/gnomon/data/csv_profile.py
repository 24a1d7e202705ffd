"""Text columns, of CSV files and JSON lines, become typed ones: the narrowest type that every value fits, batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from gnomon.data.values import MISSING_TEXTS, converted, misfit, telltale
from gnomon.resources.dataset import ColumnType

EXAMPLES = 3
"""How many misfits of a column are shown."""

_NARROWEST: tuple[ColumnType, ...] = ("boolean", "int64", "float64", "date", "timestamp")
_WIDER: dict[ColumnType, tuple[ColumnType, ...]] = {"int64": ("float64",), "date": ("timestamp",)}
"""What fits the first fits the second, so that widening never needs the batches before."""
_BARE: frozenset[ColumnType] = frozenset({"boolean", "int64", "float64"})
"""What JSON writes without quotes: a quoted value is none of these."""


@dataclass
class TextColumn:
    """What has been seen of one text column so far.

    Args:
        name: The column.
        type: Its declared type, or None until a value tells.
        is_declared: With a declared type, values that do not fit are counted; without, they widen the type.
    """

    name: str
    type: ColumnType | None
    is_declared: bool
    empty: int = 0
    markers: int = 0
    """Texts other than the empty one that mean a missing value where the type is not string."""
    misfits: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    """Row, counted from 1, and text of the first misfits."""

    @property
    def missing(self) -> int:
        """How many values are missing in a column of this type."""
        return self.empty if self.type == "string" else self.empty + self.markers


def take_in_batch(
    columns: Sequence[TextColumn], batch: pl.DataFrame, rows_before: int, quoted: frozenset[str] = frozenset()
) -> None:
    """Add to ``columns`` what a ``batch`` of text holds of them, which begins below row ``rows_before``.

    Where no type is declared, columns that are ``quoted`` hold text, dates or times.
    """
    seen = _counts(batch, {column.name: column.type or "int64" for column in columns})
    for column in columns:
        count = seen[column.name]
        if column.type is not None and column.is_declared:
            column.misfits += count.misfits
            if count.misfits and len(column.examples) < EXAMPLES:
                column.examples += _examples(column.name, column.type, batch, rows_before)
        elif column.type is None or count.misfits or count.suspects or (column.name in quoted and column.type in _BARE):
            if count.empty + count.markers < batch.height:
                column.type = _narrowest(column, batch, is_quoted=column.name in quoted)
            if column.type == "string":
                count = _counts(batch, {column.name: "string"})[column.name]
        column.empty += count.empty
        column.markers += count.markers


def _narrowest(column: TextColumn, batch: pl.DataFrame, *, is_quoted: bool) -> ColumnType:
    """Return the narrowest type that the batch fits, among those that the batches before it fit too."""
    candidates = _NARROWEST if column.type is None else _WIDER.get(column.type, ())
    for wanted in candidates:
        if is_quoted and wanted in _BARE:
            continue
        count = _counts(batch, {column.name: wanted})[column.name]
        if not count.misfits and not count.suspects:
            return wanted
    return "string"


@dataclass(frozen=True)
class _Count:
    """How many values of a batch are empty, are other texts that mean missing, do not fit, or are better left as text."""

    empty: int
    markers: int
    misfits: int = 0
    suspects: int = 0


def _counts(batch: pl.DataFrame, wanted: Mapping[str, ColumnType]) -> dict[str, _Count]:
    typed = {name: column_type for name, column_type in wanted.items() if column_type != "string"}
    # Few values are null, so that only few are compared with the texts that mean missing.
    nulls = [
        pl.col(name).filter(converted(pl.col(name), pl.String(), column_type).is_null()).implode().alias(name)
        for name, column_type in typed.items()
    ]
    others = [telltale(pl.col(name), column_type).sum().alias(name) for name, column_type in typed.items()]
    short = max(map(len, MISSING_TEXTS))
    texts = [
        pl.col(name).filter(pl.col(name).str.len_bytes() <= short).implode().alias(name) for name in wanted if name not in typed
    ]
    suspects = batch.select(others).row(0, named=True) if typed else {}
    counts = {}
    for name, few in (column for column in batch.select(nulls + texts).to_dict().items()):
        values = few.explode(empty_as_null=False)
        empty = int((values == "").sum())
        if name in typed:
            marked = int(values.str.strip_chars().is_in(MISSING_TEXTS).sum())
            counts[name] = _Count(empty, marked - empty, len(values) - marked, suspects[name])
        else:
            counts[name] = _Count(empty, int(values.is_in(MISSING_TEXTS).sum()) - empty)
    return counts


def _examples(name: str, wanted: ColumnType, batch: pl.DataFrame, rows_before: int) -> list[tuple[int, str]]:
    rows = batch.select(pl.col(name)).with_row_index("row", rows_before + 1)
    return rows.filter(misfit(pl.col(name), pl.String(), wanted)).head(EXAMPLES).rows()
