import numpy as np
import polars as pl
import pytest

from gnomon.inference.signature import MISSING_TIMESTAMP
from gnomon.training.prepared_table import KIND, StoredColumn, TableWriter

COLUMNS = (
    StoredColumn("number", "float"),
    StoredColumn("flag", "boolean"),
    StoredColumn("at", "timestamp"),
    StoredColumn("text", "string"),
    StoredColumn("other", "string"),
)
ROWS = 50
FRAME = pl.DataFrame(
    {
        "number": [None if row % 7 == 0 else row / 2 for row in range(ROWS)],
        "flag": [None if row % 5 == 0 else row % 2 == 0 for row in range(ROWS)],
        "at": pl.Series([None if row % 3 == 0 else row for row in range(ROWS)], dtype=pl.Datetime("us", "UTC")),
        "text": [None if row % 4 == 0 else f"t{row % 6}" for row in range(ROWS)],
        "other": [f"o{row}" for row in range(ROWS)],
    }
)


@pytest.mark.parametrize("size", [1, 7, 49, 50])
def test_batches_of_any_size_give_the_same_table(size: int) -> None:
    places = np.random.default_rng(1).permutation(ROWS)
    whole, parts = TableWriter(COLUMNS, places), TableWriter(COLUMNS, places)
    whole.write(FRAME)
    for batch in FRAME.iter_slices(size):
        parts.write(batch)
    one, other = whole.table(), parts.table()
    assert one.schema.equals(other.schema, check_metadata=True)
    for name in ("flag", "number"):
        np.testing.assert_array_equal(one[name].to_numpy(), other[name].to_numpy())
    assert one.select(["at", "text", "other"]).equals(other.select(["at", "text", "other"]))
    assert whole.missing == parts.missing == {name: FRAME[name].null_count() for name in FRAME.columns}


def test_rows_stand_at_their_places_and_missing_values_have_their_form() -> None:
    places = np.arange(ROWS)[::-1].copy()
    writer = TableWriter(COLUMNS, places)
    writer.write(FRAME)
    table = writer.table()
    assert table["other"].to_pylist() == FRAME["other"].to_list()[::-1]
    assert table["text"].to_pylist() == [text or "" for text in FRAME["text"].to_list()[::-1]]
    np.testing.assert_array_equal(table["number"].to_numpy(), FRAME["number"].to_numpy()[::-1].astype(np.float32))
    stamps = FRAME["at"].dt.epoch("us").fill_null(MISSING_TIMESTAMP).to_list()
    assert table["at"].cast("int64").to_pylist() == stamps[::-1]
    assert all(column.null_count == 0 for column in table.columns)
    assert table.schema.field("flag").metadata[KIND] == b"boolean"
