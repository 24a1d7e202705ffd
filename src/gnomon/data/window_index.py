"""A snapshot becomes what is known of its rows by event time: how many fall into each part of time, and which they are.

From that, every window has a digest of its rows without reading them again. The digest knows neither the order of rows nor
how they lie in files: late rows change that of the windows that they fall into, and of no other. It is the count of the
rows and exact sums of two hashes of each; so many bits that other rows never come to the same by chance.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from pathlib import Path

import msgspec
import polars as pl

from gnomon.data.reading import event_time, file_rows
from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile
from gnomon.data.windows import EARLIEST, LATEST, Grid, Window, microseconds, moment
from gnomon.errors import DataError, NotFoundError
from gnomon.resources.canonical import canonical_json
from gnomon.resources.identity import Digest
from gnomon.stores.objects.interface import ObjectStore

_VERSION = 1
"""Counts up when the same rows come to another digest."""
_SEEDS = (0x9E3779B9, 0x7F4A7C15)
_HALF = 2**32
_UNITS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1)
"""A day, an hour, a minute, a second and a microsecond, in microseconds."""


_Totals = tuple[int, ...]
"""Rows, and the sums of the halves of both hashes."""
_NOTHING: _Totals = (0,) * 5


class FileParts(msgspec.Struct, frozen=True):
    """One file's rows by part of time: its start, the number of rows, the sums of the halves of both hashes.

    Times that cannot be are left out.

    ``unit`` is the largest of a day, an hour, a minute, a second and a microsecond that all times are whole numbers of.
    """

    starts: tuple[int, ...]
    rows: tuple[int, ...]
    sums: tuple[tuple[int, int, int, int], ...]
    oldest: int
    newest: int
    unit: int


class _Index(msgspec.Struct, frozen=True):
    """What is kept of a snapshot. ``files`` are digest, oldest and newest time of each that has rows."""

    version: int
    columns: str
    size: int
    offset: int
    unit: int
    files: tuple[tuple[str, int, int], ...]
    starts: tuple[int, ...]
    rows: tuple[int, ...]
    sums: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class Slice:
    """The rows of one window: how many, and the digest of what they are."""

    window: Window
    rows: int
    digest: Digest


@dataclass(frozen=True)
class SnapshotIndex:
    """A snapshot's rows by part of time. ``digest`` names it in the object store, and is all that tells two apart."""

    digest: Digest
    _kept: _Index = field(compare=False, repr=False)
    _before: tuple[_Totals, ...] = field(compare=False, repr=False)
    """Rows and sums of all parts before each, and of all at the end."""

    @classmethod
    def from_json(cls, digest: Digest, content: bytes) -> "SnapshotIndex":
        """Return the index that ``index_snapshot`` kept.

        Raises:
            DataError: These bytes are no such index.
        """
        try:
            kept = msgspec.json.decode(content, type=_Index)
        except msgspec.DecodeError as error:
            raise DataError(f"{digest} is no index of a snapshot: {error}", "name the digest of an index") from error
        totals = [(rows, *sums) for rows, sums in zip(kept.rows, kept.sums, strict=True)]
        return cls(digest, kept, tuple(accumulate(totals, _added, initial=_NOTHING)))

    @property
    def reached(self) -> datetime | None:
        """The end of the newest row's unit of time: whole days reach to midnight, whole minutes to the next one.

        None where no row has a time that can be.
        """
        newest = max((newest for _, _, newest in self._kept.files), default=None)
        return moment(newest + self._kept.unit) if newest is not None else None

    def held_parts(self) -> tuple[datetime, ...]:
        """Return the starts of the parts of time that hold rows, the oldest first."""
        return tuple(map(moment, self._kept.starts))

    def slice_of(self, window: Window) -> Slice:
        """Return the rows of a window, whose ends are ends of parts."""
        first = bisect_left(self._kept.starts, microseconds(window.start))
        last = bisect_left(self._kept.starts, microseconds(window.end))
        rows, *sums = (after - before for after, before in zip(self._before[last], self._before[first], strict=True))
        named = [_VERSION, self._kept.columns, rows, *map(str, sums)]
        return Slice(window, rows, Digest("sha256:" + hashlib.sha256(canonical_json(named)).hexdigest()))

    def narrowed(self, snapshot: Snapshot, window: Window) -> Snapshot:
        """Return the snapshot with those files alone that hold rows of the window."""
        start, end = microseconds(window.start), microseconds(window.end)
        within = {digest for digest, oldest, newest in self._kept.files if oldest < end and newest >= start}
        files = tuple(file for file in snapshot.files if file.digest in within)
        return Snapshot(snapshot.columns, files, sum(file.rows for file in files))


def index_snapshot(
    snapshot: Snapshot, time: str, grid: Grid, objects: ObjectStore, known: Mapping[str, Digest] | None = None
) -> tuple[SnapshotIndex, Mapping[str, Digest]]:
    """Index a snapshot's rows by time, reading only the files that are not known yet, each once and in a stream.

    Args:
        snapshot: The manifest. Every row has a time: a dataset's checks see to that.
        time: The column of event times.
        grid: The parts of time.
        objects: Where the files lie, and what is found is kept.
        known: What an earlier call returned.

    Returns:
        The index, which the object store keeps under its digest, and what is known now.

    Raises:
        DataError: A file cannot be read.
        StoreError: A file is not kept any more.
    """
    reading = hashlib.sha256(canonical_json([_VERSION, _names(snapshot.columns), time, str(grid), pl.__version__])).hexdigest()
    now_known: dict[str, Digest] = {}
    parts: list[tuple[SnapshotFile, FileParts]] = []
    for file in snapshot.files:
        key = f"{file.name} {reading[:16]}"
        found = _known_parts(objects, now_known.get(key) or (known or {}).get(key))
        if found is None:
            found = file_parts(objects.path(file.digest), file, snapshot.columns, time, grid)
        now_known[key] = objects.put(msgspec.json.encode(found))
        if found.starts:
            parts.append((file, found))
    content = msgspec.json.encode(_merged(snapshot, grid, parts))
    return SnapshotIndex.from_json(objects.put(content), content), now_known


def file_parts(path: Path, file: SnapshotFile, columns: Sequence[SnapshotColumn], time: str, grid: Grid) -> FileParts:
    """Read one file and return its rows by part of time."""
    at = event_time(time)
    row = pl.struct(sorted(column.name for column in columns))
    hashes = [row.hash(seed) for seed in _SEEDS]
    halves = [half for value in hashes for half in (value % _HALF, value // _HALF)]
    frame = file_rows(path, file, columns).select(
        at.alias("at"), *(half.alias(f"h{number}") for number, half in enumerate(halves))
    )
    part = (pl.col("at") - grid.offset) // grid.size * grid.size + grid.offset
    found = (
        frame.group_by(part.alias("part"))
        .agg(
            pl.len().alias("rows"),
            *(pl.col(f"h{number}").sum() for number in range(len(halves))),
            pl.col("at").min().alias("oldest"),
            pl.col("at").max().alias("newest"),
            *((pl.col("at") % unit == 0).all().alias(f"u{unit}") for unit in _UNITS),
        )
        .filter(pl.col("part").is_between(microseconds(EARLIEST), microseconds(LATEST)))
        .collect(engine="streaming")
        .sort("part")
    )
    if not found.height:
        return FileParts((), (), (), 0, 0, _UNITS[0])
    return FileParts(
        starts=tuple(found["part"]),
        rows=tuple(found["rows"]),
        sums=tuple(found.select(f"h{number}" for number in range(len(halves))).rows()),
        oldest=min(found["oldest"].to_list()),
        newest=max(found["newest"].to_list()),
        unit=next(unit for unit in _UNITS if found[f"u{unit}"].all()),
    )


def _known_parts(objects: ObjectStore, digest: Digest | None) -> FileParts | None:
    if digest is None:
        return None
    try:
        return msgspec.json.decode(objects.get(digest), type=FileParts)
    except NotFoundError:
        return None


def _merged(snapshot: Snapshot, grid: Grid, files: Sequence[tuple[SnapshotFile, FileParts]]) -> _Index:
    totals: dict[int, _Totals] = {}
    for _, parts in files:
        for start, rows, sums in zip(parts.starts, parts.rows, parts.sums, strict=True):
            totals[start] = _added(totals.get(start, _NOTHING), (rows, *sums))
    ordered = sorted(totals)
    return _Index(
        version=_VERSION,
        columns=hashlib.sha256(canonical_json([[c.name, c.type, c.nullable] for c in snapshot.columns])).hexdigest(),
        size=grid.size,
        offset=grid.offset,
        unit=min((parts.unit for _, parts in files), default=_UNITS[0]),
        files=tuple((file.digest, parts.oldest, parts.newest) for file, parts in files),
        starts=tuple(ordered),
        rows=tuple(totals[start][0] for start in ordered),
        sums=tuple(totals[start][1:] for start in ordered),  # type: ignore[misc]  # four of them
    )


def _added(one: _Totals, other: _Totals) -> _Totals:
    return tuple(map(sum, zip(one, other, strict=True)))


def _names(columns: Sequence[SnapshotColumn]) -> list[list[str]]:
    return sorted([column.name, column.type] for column in columns)
