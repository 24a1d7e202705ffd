"""Records as rows and back."""

import dataclasses
from typing import Any, TypeVar

from sqlalchemy import RowMapping as Row

from gnomon.resources import status
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.stores.records.interface import (
    EventRecord,
    ReleaseMark,
    ResourceRecord,
    RunRecord,
    SnapshotRecord,
    StepRecord,
    VersionRecord,
)
from gnomon.stores.records.values import clean_text

NewRow = dict[str, Any]
"""Values to be written, by column name."""

_Record = TypeVar("_Record")
_FIELDS: dict[type, tuple[str, ...]] = {
    record_type: tuple(field.name for field in dataclasses.fields(record_type))
    for record_type in (ResourceRecord, EventRecord, RunRecord, StepRecord, VersionRecord, SnapshotRecord, ReleaseMark)
}


def key_columns(key: ResourceKey) -> NewRow:
    """Return the columns that say which resource a row belongs to."""
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def resource_row(record: ResourceRecord) -> NewRow:
    """Return a resource as a row."""
    return _row(record, key=record.key) | {"status": status.to_json(record.status)}


def resource_of(row: Row) -> ResourceRecord:
    """Return the resource in a row."""
    return _record(ResourceRecord, row, key=_key(row), status=status.from_json(row["status"]))


def event_of(row: Row) -> EventRecord:
    """Return the event in a row."""
    return _record(EventRecord, row, key=_key(row))


def run_row(run: RunRecord) -> NewRow:
    """Return a run as a row."""
    return _row(run, owner=run.owner) | {"reason": clean_text(run.reason), "message": clean_text(run.message)}


def run_of(row: Row) -> RunRecord:
    """Return the run in a row."""
    return _record(RunRecord, row, owner=_key(row))


def step_row(step: StepRecord) -> NewRow:
    """Return a step as a row."""
    return _row(step) | {"error": clean_text(step.error)}


def step_of(row: Row) -> StepRecord:
    """Return the step in a row."""
    return _record(StepRecord, row, reason=row["reason"] or "")


def version_row(version: VersionRecord) -> NewRow:
    """Return a version as a row."""
    return _row(version, model=version.model)


def version_of(row: Row) -> VersionRecord:
    """Return the version in a row."""
    return _record(VersionRecord, row, model=_key(row))


def snapshot_row(snapshot: SnapshotRecord) -> NewRow:
    """Return a snapshot as a row."""
    return _row(snapshot, dataset=snapshot.dataset) | {"paths": [clean_text(path) for path in snapshot.paths]}


def snapshot_of(row: Row) -> SnapshotRecord:
    """Return the snapshot in a row."""
    return _record(SnapshotRecord, row, dataset=_key(row), paths=tuple(row["paths"] or ()))


def mark_row(mark: ReleaseMark) -> NewRow:
    """Return a release mark as a row."""
    return _row(mark, service=mark.service)


def mark_of(row: Row) -> ReleaseMark:
    """Return the release mark in a row."""
    return _record(ReleaseMark, row, service=_key(row), withdrawn=tuple(map(Digest, row["withdrawn"])))


def _key(row: Row) -> ResourceKey:
    return ResourceKey(row["kind"], row["namespace"], row["name"])


def _row(record: object, **keys: ResourceKey) -> NewRow:
    """Return a column for each field; the field in ``keys`` becomes the columns of that key."""
    row = {name: getattr(record, name) for name in _FIELDS[type(record)] if name not in keys}
    for key in keys.values():
        row |= key_columns(key)
    return row


def _record(record_type: type[_Record], row: Row, **made: object) -> _Record:
    """Return a record with a field for each column, save those that are ``made`` already."""
    return record_type(**{name: row[name] for name in _FIELDS[record_type] if name not in made}, **made)
