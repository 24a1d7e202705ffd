"""Values as files hold them become values of the declared types: one rule for each pair of types.

Text becomes a number, a time or a truth value strictly, never by locale. What cannot be
expressed without loss in the wanted type does not fit, and becomes null here: `misfit` tells it from what is missing.
"""

from typing import Literal

import polars as pl

from gnomon.resources.dataset import ColumnType

MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""Texts that mean a missing value in every column but those of type string, where the empty text alone does."""

DTYPES: dict[ColumnType, pl.DataType] = {
    "float64": pl.Float64(),
    "float32": pl.Float32(),
    "int64": pl.Int64(),
    "int32": pl.Int32(),
    "boolean": pl.Boolean(),
    "string": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
}

_Family = Literal["integer", "float", "boolean", "text", "timestamp", "date", "empty"]
_INTO: dict[_Family, frozenset[ColumnType]] = {
    "integer": frozenset({"int64", "int32", "float64", "float32", "string"}),
    "float": frozenset({"float64", "float32", "int64", "int32"}),
    "boolean": frozenset({"boolean"}),
    "text": frozenset(DTYPES),
    "timestamp": frozenset({"timestamp"}),
    "date": frozenset({"date", "timestamp"}),
    "empty": frozenset(DTYPES),
}
_TIMESTAMP = r"^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2}(?:[.,]\d{1,9})?))?[ ]?(?:[Zz]|([+-])(\d{2}):?(\d{2})?)?)?$"


def natural_type(dtype: pl.DataType) -> ColumnType | None:
    """Return the type that a column of a Parquet file has by itself, or None where no type of ours can hold it."""
    match family(dtype):
        case "integer":
            return "int32" if dtype in {pl.Int8(), pl.Int16(), pl.Int32(), pl.UInt8(), pl.UInt16()} else "int64"
        case "float":
            return "float32" if dtype in {pl.Float32(), pl.Float16()} else "float64"
        case "boolean":
            return "boolean"
        case "timestamp":
            return "timestamp"
        case "date":
            return "date"
        case "text" | "empty":
            return "string"
        case None:
            return None


def accepts(dtype: pl.DataType, wanted: ColumnType) -> bool:
    """Return whether values of ``dtype`` may become values of type ``wanted``, each as far as it fits."""
    found = family(dtype)
    return found is not None and wanted in _INTO[found]


def family(dtype: pl.DataType) -> _Family | None:
    """Return what values of ``dtype`` are, or None for those that no column can hold, such as lists."""
    if dtype.is_integer() and not isinstance(dtype, pl.Int128 | pl.UInt128):
        return "integer"
    if dtype.is_float() or isinstance(dtype, pl.Decimal):
        return "float"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    simple: dict[type[pl.DataType], _Family] = {
        pl.Boolean: "boolean",
        pl.Datetime: "timestamp",
        pl.Date: "date",
        pl.Null: "empty",
    }
    return simple.get(type(dtype))


def converted(column: pl.Expr, dtype: pl.DataType, wanted: ColumnType) -> pl.Expr:
    """Return ``column``, whose values are of ``dtype``, in the type ``wanted``: what is missing or does not fit is null."""
    target = DTYPES[wanted]
    match family(dtype):
        case "text":
            return _from_text(column if isinstance(dtype, pl.String) else column.cast(pl.String), wanted)
        case "float":
            number = (column.cast(pl.Float64) if isinstance(dtype, pl.Decimal) else column).fill_nan(None)
            return (
                pl.when(number == number.round()).then(number).cast(target, strict=False)
                if target.is_integer()
                else number.cast(target)
            )
        case "timestamp":
            time_zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
            exact = column.dt.cast_time_unit("us")
            return exact.dt.convert_time_zone("UTC") if time_zone else exact.dt.replace_time_zone("UTC")
        case "date" if wanted == "timestamp":
            return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        case _:
            return column.cast(target, strict=False)


def missing(column: pl.Expr, dtype: pl.DataType, wanted: ColumnType) -> pl.Expr:
    """Return which values of ``column`` say that there is none."""
    if family(dtype) == "text":
        text = column if isinstance(dtype, pl.String) else column.cast(pl.String)
        if wanted == "string":
            return text.is_null() | (text == "")
        return text.is_null() | text.str.strip_chars().is_in(MISSING_TEXTS)
    return column.is_null() | column.is_nan() if dtype.is_float() else column.is_null()


def misfit(column: pl.Expr, dtype: pl.DataType, wanted: ColumnType) -> pl.Expr:
    """Return which values of ``column`` are there, but cannot be said in the type ``wanted``."""
    return converted(column, dtype, wanted).is_null() & ~missing(column, dtype, wanted)


def telltale(column: pl.Expr, wanted: ColumnType) -> pl.Expr:
    """Return which texts are better not taken for ``wanted`` where no type is declared: they would lose something.

    These are numbers with leading zeros (postal codes) and whole numbers beyond int64 (identifiers).
    """
    if wanted not in {"int64", "float64"}:
        return pl.lit(value=False)
    text = column.str.strip_chars()
    too_large = text.str.contains(r"^[+-]?\d{19,}$") & text.cast(pl.Int64, strict=False).is_null()
    return text.str.contains(r"^[+-]?0\d") | too_large


def _from_text(column: pl.Expr, wanted: ColumnType) -> pl.Expr:
    if wanted == "string":
        return pl.when(column != "").then(column)
    text = column.str.strip_chars()
    match wanted:
        case "boolean":
            return text.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
        case "timestamp":
            return text.map_batches(_timestamps, return_dtype=DTYPES[wanted], is_elementwise=True)
        case "date":
            return pl.when(text.str.len_bytes() == 10).then(text).str.to_date("%Y-%m-%d", strict=False)
        case "float64" | "float32":
            return text.cast(DTYPES[wanted], strict=False).fill_nan(None)
        case "int64" | "int32":
            return text.cast(DTYPES[wanted], strict=False)


def _timestamps(text: pl.Series) -> pl.Series:
    """Read ISO 8601: a date, or date and time with ``T`` or a space; without a zone it is UTC."""
    plain = text.str.strip_suffix("Z")
    usual = _clock_times(plain.set(plain.str.len_bytes() < 19, None))
    odd = (usual.is_null() & text.is_not_null()).arg_true()
    if len(odd):
        usual = usual.scatter(odd, _odd_timestamps(text.gather(odd)))
    return usual.dt.replace_time_zone("UTC")


def _odd_timestamps(text: pl.Series) -> pl.Series:
    part = text.str.extract_groups(_TIMESTAMP).struct.unnest()
    clock = part.select(
        pl.concat_str(
            pl.col("1"),
            pl.lit(" "),
            pl.col("2").fill_null("00:00"),
            pl.lit(":"),
            pl.col("3").fill_null("00").str.replace(",", ".", literal=True),
        )
    ).to_series()
    minutes = pl.col("5").cast(pl.Int64) * 60 + pl.col("6").fill_null("0").cast(pl.Int64)
    ahead = part.select(pl.when(pl.col("4") == "-").then(-minutes).otherwise(minutes).fill_null(0)).to_series()
    return _clock_times(clock) - (ahead * 60_000_000).cast(pl.Duration("us"))


def _clock_times(text: pl.Series) -> pl.Series:
    return text.str.replace("T", " ", literal=True).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
