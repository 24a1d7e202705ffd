import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings

from gnomon.errors import UsageError
from gnomon.resources.status import Condition, Status, from_json, to_json
from tests.strategies import records as strategies

NOON_IN_TOKYO = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=9)))
READY = Condition("Ready", "True", "Serving", "it serves", NOON_IN_TOKYO, 3)


@settings(max_examples=50, deadline=None)
@given(strategies.statuses)
def test_a_status_survives_json(status: Status) -> None:
    assert from_json(json.loads(json.dumps(to_json(status)))) == status


def test_a_status_is_written_as_people_know_it() -> None:
    assert to_json(Status(3, "1" * 40, (READY,), {"version": 7})) == {
        "observedGeneration": 3,
        "observedRevision": "1" * 40,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Serving",
                "message": "it serves",
                "lastTransitionTime": "2026-03-01T03:00:00.000005Z",
                "observedGeneration": 3,
            }
        ],
        "details": {"version": 7},
    }


def test_times_are_read_in_utc() -> None:
    assert from_json(to_json(Status(conditions=(READY,)))).conditions[0].last_transition_time.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = Condition("Ready", "True", "Serving", "it serves", datetime.now(UTC).replace(tzinfo=None), 3)
    with pytest.raises(UsageError, match="has no zone"):
        to_json(Status(conditions=(naive,)))
