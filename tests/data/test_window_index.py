import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.data.intake import take_in
from gnomon.data.snapshot import Snapshot
from gnomon.data.wanted_windows import WantedWindows, wanted_windows, windows_of
from gnomon.data.window_index import SnapshotIndex, index_snapshot
from gnomon.data.windows import Window as TimeWindow
from gnomon.errors import DataError
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest
from gnomon.resources.model import Window
from gnomon.stores.objects.disk import DiskObjectStore

MONTHLY = Window.model_validate_json('{"span": "1mo", "backfill": {"windows": 100}}')
APRIL = TimeWindow(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC))
Row = tuple[datetime, int | None, str]


class Shelf:
    """An object store and the snapshots in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = DiskObjectStore(folder / "objects")

    def snapshot(self, *tables: pl.DataFrame, csv: bool = False) -> Snapshot:
        """Return the snapshot of these tables, a file each."""
        name = f"{len(list(self.folder.iterdir()))}"
        (self.folder / name).mkdir()
        for number, table in enumerate(tables):
            path = self.folder / name / f"{number:03d}"
            if csv:
                table.write_csv(path.with_suffix(".csv"), datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
            else:
                table.write_parquet(path.with_suffix(".parquet"))
        spec = {
            "source": {"files": f"{self.folder / name}/*"},
            "time": "at",
            "schema": [
                {"name": "at", "type": "date" if tables[0]["at"].dtype == pl.Date else "timestamp"},
                {"name": "n", "type": "int64"},
                {"name": "word", "type": "string"},
            ],
        }
        dataset = Dataset.model_validate_json(json.dumps({"metadata": {"name": "rows"}, "spec": spec}))
        return take_in(dataset, (), self.objects, lambda *_: None).snapshot

    def index(self, snapshot: Snapshot, window: Window = MONTHLY) -> SnapshotIndex:
        """Return the index of a snapshot."""
        return index_snapshot(snapshot, "at", windows_of(window).grid, self.objects)[0]

    def wanted(self, window: str, *tables: pl.DataFrame) -> WantedWindows:
        """Return the windows that are wanted of these tables."""
        spec = Window.model_validate_json(window)
        return wanted_windows(spec, self.index(self.snapshot(*tables), spec))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


def table(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"at": pl.Datetime("us", "UTC"), "n": pl.Int64, "word": pl.String}, orient="row")


def hourly(start: str, end: str) -> pl.DataFrame:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    times = pl.datetime_range(first, last, "6h", closed="left", eager=True, time_zone="UTC")
    return pl.DataFrame({"at": times.dt.cast_time_unit("us")}).with_columns(
        n=pl.int_range(pl.len(), dtype=pl.Int64), word=pl.lit("x")
    )


rows = st.lists(
    st.tuples(
        st.datetimes(datetime(2013, 1, 1), datetime(2013, 8, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is beside
        st.none() | st.integers(-3, 3),
        st.sampled_from(["", "a", "b", "ab"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_of_rows_and_their_files_say_nothing(shelf: Shelf, rows: list[Row], source: object, files: int) -> None:
    shuffled = list(rows)
    source.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    parts = [part for number in range(files) if (part := shuffled[number::files])]
    one = shelf.index(shelf.snapshot(table(rows)))
    other = shelf.index(shelf.snapshot(*map(table, parts), csv=True))
    windows = {window for row in rows for window in windows_of(MONTHLY).around(row[0])}
    assert {one.slice_of(window) for window in windows} == {other.slice_of(window) for window in windows}
    assert sum(one.slice_of(window).rows for window in windows) == len(rows)
    assert one.reached == other.reached


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, rows)
def test_late_rows_change_the_windows_that_they_fall_into_and_no_other(shelf: Shelf, rows: list[Row], late: list[Row]) -> None:
    before, after = shelf.index(shelf.snapshot(table(rows))), shelf.index(shelf.snapshot(table(rows), table(late)))
    for month in range(1, 9):
        (window,) = windows_of(MONTHLY).around(datetime(2013, month, 3, tzinfo=UTC))
        is_touched = any(row[0] in window for row in late)
        assert (before.slice_of(window).digest != after.slice_of(window).digest) == is_touched


def test_values_that_change_places_between_rows_are_other_rows(shelf: Shelf) -> None:
    at = [datetime(2013, 4, day, tzinfo=UTC) for day in (1, 2)]
    straight = table([(at[0], 1, "a"), (at[1], 2, "b")])
    crossed = table([(at[0], 2, "a"), (at[1], 1, "b")])
    doubled = table([(at[0], 1, "a"), (at[0], 1, "a"), (at[1], 2, "b")])
    missing = table([(at[0], None, "a"), (at[1], 2, "b")])
    digests = {shelf.index(shelf.snapshot(each)).slice_of(APRIL).digest for each in (straight, crossed, doubled, missing)}
    assert len(digests) == 4


def test_only_new_files_are_read(shelf: Shelf) -> None:
    grid = windows_of(MONTHLY).grid
    april, may = hourly("2013-04-01", "2013-05-01"), hourly("2013-05-01", "2013-06-01")
    first = shelf.snapshot(april)
    _, known = index_snapshot(first, "at", grid, shelf.objects)
    both = shelf.snapshot(april, may)
    shelf.objects.delete(both.files[0].digest)
    index, _ = index_snapshot(both, "at", grid, shelf.objects, known)
    assert index.slice_of(APRIL).rows == april.height
    # A run for a window is given those files alone that have rows of it.
    assert index.narrowed(both, APRIL) == Snapshot(both.columns, both.files[:1], april.height)


def test_the_newest_complete_window_is_wanted_and_the_one_that_goes_on_is_not(shelf: Shelf) -> None:
    wanted = shelf.wanted('{"span": "1mo"}', hourly("2013-01-01", "2013-06-20"))
    assert [each.window.label for each in wanted.slices] == ["2013-05"]
    assert wanted.incomplete is not None
    assert wanted.incomplete.label == "2013-06"


@pytest.mark.parametrize(
    ("window", "labels"),
    [
        ('{"span": "1mo", "backfill": {"windows": 3}}', ["2013-04", "2013-05", "2013-06"]),
        ('{"span": "1mo", "backfill": {"windows": 99}}', [f"2013-0{n}" for n in range(1, 7)]),
        ('{"span": "1mo", "backfill": {"since": "2013-04-02"}}', ["2013-05", "2013-06"]),
        ('{"span": "1mo", "lateness": "2d", "backfill": {"windows": 2}}', ["2013-04", "2013-05"]),
        ('{"span": "1mo", "lateness": "0s", "backfill": {"windows": 2}}', ["2013-04", "2013-05"]),
        ('{"span": "1mo", "lateness": "9d", "closedUntil": "2013-07-01", "backfill": {"windows": 1}}', ["2013-06"]),
        (
            '{"span": "2mo", "every": "1mo", "backfill": {"windows": 2}}',
            ["2013-04-01/2013-05-31", "2013-05-01/2013-06-30"],
        ),
        ('{"span": "1d", "every": "1mo", "backfill": {"windows": 2}}', ["2013-04-30", "2013-05-31"]),
    ],
)
def test_past_windows_are_wanted_as_far_as_asked_for(shelf: Shelf, window: str, labels: list[str]) -> None:
    wanted = shelf.wanted(window, hourly("2013-01-01", "2013-07-01"))
    assert [each.window.label for each in wanted.slices] == labels


@pytest.mark.parametrize(
    ("last", "is_complete"),
    [("2013-04-30T18:00:00", True), ("2013-04-30T16:48:01", True), ("2013-04-30T16:47:59", False), ("2013-04-20", False)],
)
def test_without_a_lateness_a_hundredth_of_the_span_may_be_quiet(shelf: Shelf, last: str, *, is_complete: bool) -> None:
    odd = datetime.fromisoformat(last).replace(tzinfo=UTC) - timedelta(microseconds=1)
    wanted = shelf.wanted('{"span": "1mo"}', table([(datetime(2013, 4, 1, tzinfo=UTC), 1, "a"), (odd, 2, "b")]))
    assert bool(wanted.slices) == is_complete


def test_a_date_stands_for_its_whole_day(shelf: Shelf) -> None:
    days = pl.DataFrame({"at": pl.date_range(date(2013, 4, 1), date(2013, 4, 30), eager=True)}).with_columns(
        n=pl.lit(1, pl.Int64), word=pl.lit("x")
    )
    wanted = shelf.wanted('{"span": "1mo", "lateness": "0s"}', days)
    assert [each.window.label for each in wanted.slices] == ["2013-04"]
    assert wanted.reached == datetime(2013, 5, 1, tzinfo=UTC)


def test_windows_without_rows_are_left_out_and_times_that_cannot_be_are_in_none(shelf: Shelf) -> None:
    times = [datetime(2013, 1, 5, tzinfo=UTC), datetime(2013, 6, 5, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)]
    wanted = shelf.wanted(
        '{"span": "1mo", "backfill": {"windows": 9}}',
        table([(at, n, "x") for n, at in enumerate([*times, datetime(1, 1, 1, tzinfo=UTC)])]),
    )
    assert [each.window.label for each in wanted.slices] == ["2013-01"]
    only_odd = shelf.wanted('{"span": "1mo"}', table([(times[-1], 1, "x")]))
    assert (only_odd.slices, only_odd.reached) == ((), None)


def test_more_windows_than_may_be_are_told(shelf: Shelf) -> None:
    window = '{"span": "6h", "backfill": {"since": "2012-01-01"}}'
    assert shelf.wanted(window, hourly("2012-01-01", "2013-01-01")).has_more
    assert not shelf.wanted(window.replace("6h", "1d"), hourly("2012-01-01", "2013-01-01")).has_more


def test_other_bytes_are_no_index() -> None:
    with pytest.raises(DataError, match="no index"):
        SnapshotIndex.from_json(Digest("sha256:" + "0" * 64), b'{"version": 1}')
