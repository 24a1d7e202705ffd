"""The step journal in a database that is not a SQLite file: the twin of ``journal``, through SQLAlchemy."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from gnomon.stores.records import rows
from gnomon.stores.records.database import Database
from gnomon.stores.records.schema import CLOSURES, STEPS
from gnomon.stores.records.steps import StepRecord
from gnomon.stores.records.values import check_ended, check_started, check_step, last_attempts

_CACHED_RESULT = (
    sa.select(STEPS.c.result)
    .where(STEPS.c.key == sa.bindparam("step_key"), STEPS.c.state == "done")
    .order_by(STEPS.c.position.desc())
    .limit(1)
)


class SqlJournal:
    """The journal as tables of a database that others close."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put_step = database.upsert(STEPS, ("run", "name", "attempt"))
        self._put_closure = database.upsert(CLOSURES, ("digest",), replace=False)

    def cached_result(self, key: str) -> Mapping[str, Any] | None:
        """Return the newest result kept for a step key."""
        with self._database.reading() as connection:
            result: Mapping[str, Any] | None = connection.execute(_CACHED_RESULT, {"step_key": key}).scalar()
        return result

    def step_started(self, step: StepRecord) -> None:
        """Journal the start of an attempt."""
        check_started(step)
        self.write([step], {})

    def step_ended(self, step: StepRecord) -> None:
        """Journal the end of an attempt. Its row is the cache entry too, so both are there or neither."""
        check_ended(step)
        self.write([step], {})

    def write(self, steps: Sequence[StepRecord], closures: Mapping[str, Mapping[str, Any]]) -> None:
        """Journal starts and ends, and what closures consist of, in one transaction."""
        for step in steps:
            check_step(step)
        with self._database.writing() as connection:
            for digest, parts in closures.items():
                connection.execute(self._put_closure, {"digest": digest, "parts": parts})
            for step in steps:
                connection.execute(self._put_step, rows.step_row(step))

    def steps(self, run: str) -> Sequence[StepRecord]:
        """Return the last attempt of each step of a run, in the order in which these started."""
        return last_attempts(self.attempts(run))

    def attempts(self, run: str) -> Sequence[StepRecord]:
        """Return every attempt at the steps of a run, in the order in which they started."""
        with self._database.reading() as connection:
            found = connection.execute(sa.select(STEPS).where(STEPS.c.run == run).order_by(STEPS.c.position))
            return [rows.step_of(row) for row in found.mappings()]

    def closure(self, digest: str) -> Mapping[str, Any] | None:
        """Return what a code closure consists of."""
        with self._database.reading() as connection:
            parts: Mapping[str, Any] | None = connection.execute(
                sa.select(CLOSURES.c.parts).where(CLOSURES.c.digest == digest)
            ).scalar()
        return parts

    def close(self) -> None:
        """Do nothing: the database is closed by its owner."""
