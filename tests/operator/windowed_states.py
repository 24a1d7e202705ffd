"""States of a model that learns from windows, with what is really known of real rows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile
from gnomon.data.window_index import SnapshotIndex, index_snapshot
from gnomon.operator.actions import Action, StartRun
from gnomon.operator.controllers.wanted import index_requests
from gnomon.operator.outcomes import Outcome
from gnomon.operator.plan import plan
from gnomon.operator.state import Desired, Indexed, Observed
from gnomon.resources.dataset import ColumnType
from gnomon.resources.identity import Digest
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import RunRecord
from tests.operator.states import COMMIT, DATASET_YAML, MANIFESTS, MODEL, MODEL_YAML, NOW, desired_of, digest, route, settled

WINDOW = "  window: {span: 1mo, backfill: {windows: 3}}\n"
DAILY = timedelta(days=1)


def days(until: str) -> list[datetime]:
    """Return noon of every day from 2026-01-01 up to a day."""
    first, last = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime.fromisoformat(until).replace(tzinfo=UTC)
    return [first + n * DAILY for n in range((last - first).days + 2) if first + n * DAILY <= last]


def windowed(extra: str = WINDOW) -> Desired:
    """Return the desired state of a commit with a model that has windows."""
    dataset = DATASET_YAML + "  time: at\n"
    return desired_of({**MANIFESTS, "dataset.yaml": dataset, "model.yaml": MODEL_YAML + extra})


@dataclass
class Rows:
    """Indexes rows, and tells what a plan makes of them."""

    folder: Path

    def index(self, desired: Desired, times: list[datetime]) -> SnapshotIndex:
        """Return what is known of rows at these times."""
        objects = DiskObjectStore(self.folder / "objects")
        path = self.folder / f"{len(times)}.parquet"
        pl.DataFrame({"at": times}).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC"))).write_parquet(path)
        kept: ColumnType = "timestamp"
        file = SnapshotFile(objects.put_file(path, move=True), "parquet", 1, len(times))
        snapshot = Snapshot((SnapshotColumn("at", kept, nullable=False),), (file,), len(times))
        (request,) = index_requests(desired)
        return index_snapshot(snapshot, request.time, request.grid, objects)[0]

    def observed(self, desired: Desired, times: list[datetime], *runs: RunRecord, letter: str = "d") -> Observed:
        """Return an observed state in which rows at these times were read and indexed."""
        before = settled(desired)
        intakes = {key: replace(intake, snapshot=digest(letter)) for key, intake in before.intakes.items()}
        indexes = {request: Indexed(digest(letter), self.index(desired, times)) for request in index_requests(desired)}
        running = {run.id: "1 of 4 steps" for run in runs if run.state == "running"}
        newest_first = tuple(sorted(runs, key=lambda run: run.started_at, reverse=True))
        return replace(
            before, intakes=intakes, indexes=indexes, runs={MODEL: newest_first}, runs_under_way=running, routes=(route(None),)
        )


def starts(desired: Desired, observed: Observed, now: datetime = NOW) -> dict[str, StartRun]:
    """Return the runs that are started, by window."""
    return {
        action.window.window.label: action
        for action in plan(desired, observed, now).actions
        if isinstance(action, StartRun) and action.window is not None
    }


def others(desired: Desired, observed: Observed, now: datetime = NOW) -> list[Action]:
    """Return everything else that is to be done."""
    return [action for action in plan(desired, observed, now).actions if not isinstance(action, StartRun)]


def outcome(desired: Desired, observed: Observed, now: datetime = NOW) -> Outcome:
    """Return where the model stands."""
    return plan(desired, observed, now).outcomes[MODEL]


def finished(start: StartRun, state: str = "passed", version: int = 1, *, minutes_ago: int = 60) -> RunRecord:
    """Return the run that an action started, as it ended."""
    assert start.window is not None
    at = NOW - timedelta(minutes=minutes_ago)
    return RunRecord(
        id=f"run-{version}",
        owner=MODEL,
        fingerprint=start.fingerprint,
        revision=COMMIT,
        snapshot=start.snapshot,
        state=state,  # type: ignore[arg-type]  # tests name the states
        reason="",
        message=f"{state} in a test",
        started_at=at,
        ended_at=None if state == "running" else at + timedelta(minutes=2),
        artifact=Digest(f"sha256:{version:064x}") if state == "passed" else None,
        version=version if state == "passed" else None,
        champion=start.champion,
        summary={"parts": dict(start.parts), "why": start.why, "window": start.window.to_json()},
    )


def backfilled(rows: Rows, desired: Desired, times: list[datetime]) -> Iterator[RunRecord]:
    """Yield the runs of a model whose windows all passed, one after the other."""
    runs: list[RunRecord] = []
    while begun := starts(desired, replace(rows.observed(desired, times, *runs), at_once=1)):
        (start,) = begun.values()
        runs.append(finished(start, version=len(runs) + 1, minutes_ago=600 - 10 * len(runs)))
        yield runs[-1]
