from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile
from gnomon.data.statistics.columns import ColumnFigures
from gnomon.data.statistics.scan import Figures, figures, snapshot_figures
from gnomon.resources.identity import Digest

COLUMNS = (
    SnapshotColumn("count", "string", nullable=True),
    SnapshotColumn("n", "float64", nullable=True),
    SnapshotColumn("i", "int64", nullable=True),
    SnapshotColumn("b", "boolean", nullable=True),
    SnapshotColumn("t", "timestamp", nullable=True),
)
SCHEMA: dict[str, Any] = {"count": pl.String, "n": pl.Float64, "i": pl.Int64, "b": pl.Boolean, "t": pl.Datetime("us", "UTC")}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "count": st.none() | st.sampled_from(["", "a", "b ", "Ünï 🙂", "2013-01-01", "7.5"]),
            "n": st.none() | st.floats(-1e9, 1e9) | st.sampled_from([float("nan"), float("inf"), -0.0]),
            "i": st.none() | st.sampled_from([0, 1, -(2**63), 2**63 - 1]),
            "b": st.none() | st.booleans(),
            "t": st.none() | st.integers(-(10**15), 10**15),
        }
    ),
    max_size=25,
)


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    raw = pl.DataFrame(rows, schema={**SCHEMA, "t": pl.Int64})
    return raw.with_columns(pl.col("t").cast(pl.Datetime("us", "UTC")))


def without_moments(column: ColumnFigures) -> ColumnFigures:
    """Means of parts agree with those of the whole up to rounding; all else agrees exactly."""
    if column.numbers is None:
        return column
    return msgspec.structs.replace(column, numbers=msgspec.structs.replace(column.numbers, mean=0.0, squares=0.0))


@given(ROWS, ROWS)
@settings(max_examples=40)
def test_figures_of_parts_merge_into_those_of_the_whole(one: list[dict[str, object]], other: list[dict[str, object]]) -> None:
    parts = figures(frame(one).lazy(), COLUMNS).merged(figures(frame(other).lazy(), COLUMNS))
    whole = figures(frame(one + other).lazy(), COLUMNS)
    assert parts.rows == whole.rows == len(one) + len(other)
    assert parts.sample == whole.sample
    for part, column in zip(parts.columns, whole.columns, strict=True):
        if column.numbers is not None and part.numbers is not None:
            scale = max(1.0, abs(column.numbers.least), abs(column.numbers.most))
            assert part.numbers.mean == pytest.approx(column.numbers.mean, rel=1e-9, abs=1e-9 * scale)
            assert part.numbers.deviation == pytest.approx(column.numbers.deviation, rel=1e-6, abs=1e-6 * scale)
        assert without_moments(part) == without_moments(column)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Figures) == whole


def test_figures_are_those_of_the_rows() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=5000)
    rows = pl.DataFrame({"count": ["a", "b"] * 2500, "n": numbers, "i": range(5000), "b": [True] * 5000, "t": [0] * 5000})
    found = figures(rows.with_columns(pl.col("t").cast(pl.Datetime("us", "UTC"))).lazy(), COLUMNS)
    text, number, identifier, flag, time = found.columns
    assert text.texts is not None
    assert text.texts.values == {"a": 2500, "b": 2500}
    assert number.numbers is not None
    assert number.numbers.mean == pytest.approx(numbers.mean())
    assert number.numbers.deviation == pytest.approx(numbers.std())
    assert (number.numbers.least, number.numbers.most) == (numbers.min(), numbers.max())
    assert identifier.distinct.count == pytest.approx(5000, rel=0.1)
    assert flag.texts is not None
    assert flag.texts.values == {"true": 5000}
    assert time.times is not None
    assert time.times.days == {0: 5000}


def test_a_file_whose_figures_are_known_is_not_scanned_again(tmp_path: Path) -> None:
    paths = {}
    files = []
    for name, rows in (("one", 3), ("two", 4)):
        kept = tmp_path / name
        pl.DataFrame({"n": [float(row) for row in range(rows)]}).write_parquet(kept)
        file = SnapshotFile(Digest(f"sha256:{name}"), "parquet", kept.stat().st_size, rows)
        files.append(file)
        paths[file.digest] = kept
    snapshot = Snapshot((SnapshotColumn("n", "float64", nullable=False),), tuple(files), 7)
    first = snapshot_figures(snapshot, lambda file: paths[file.digest], {})
    assert first is not None
    asked: list[str] = []

    def path(file: SnapshotFile) -> Path:
        asked.append(file.digest)
        return paths[file.digest]

    again = snapshot_figures(snapshot, path, {files[0].digest: first[1][files[0].digest]})
    assert again is not None
    assert asked == [files[1].digest]
    assert again[0] == first[0]
    assert snapshot_figures(snapshot, path, {}, cancelled=lambda: True) is None
