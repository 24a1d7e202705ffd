from datetime import UTC, datetime, timedelta

from gnomon.operator.outcomes import Done, Stalled, Suspended, Waiting, status_of
from gnomon.resources.status import Status

NOW = datetime(2026, 4, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def test_a_done_resource_is_ready_and_nothing_else() -> None:
    status = status_of(Done("Serving", "v1 serves"), Status(), 3, "c1", NOW)
    assert [(c.type, c.status) for c in status.conditions] == [("Ready", "True")]
    assert status.observed_generation == 3
    assert status.is_ready


def test_a_waiting_resource_is_reconciling_and_not_known_to_be_ready() -> None:
    status = status_of(Waiting(timedelta(seconds=1), "Training", "2 of 5 steps"), Status(), 1, "c1", NOW)
    assert [(c.type, c.status) for c in status.conditions] == [("Ready", "Unknown"), ("Reconciling", "True")]


def test_a_stalled_resource_is_not_ready() -> None:
    status = status_of(Stalled("GatesRefused", "rmse 50 > 45"), Status(), 1, "c1", NOW)
    assert [(c.type, c.status) for c in status.conditions] == [("Ready", "False"), ("Stalled", "True")]


def test_a_condition_that_stays_keeps_the_time_of_its_last_change() -> None:
    first = status_of(Waiting(timedelta(seconds=1), "Training", "1 of 5 steps"), Status(), 1, "c1", NOW)
    second = status_of(Waiting(timedelta(seconds=1), "Training", "2 of 5 steps"), first, 1, "c1", LATER)
    third = status_of(Done("GatesPassed", "v1"), second, 1, "c1", LATER)
    assert second.conditions[0].last_transition_time == NOW
    assert third.conditions[0].last_transition_time == LATER


def test_a_suspended_resource_stays_as_ready_as_it_was() -> None:
    ready = status_of(Done("Serving", "v1 serves"), Status(), 1, "c1", NOW)
    suspended = status_of(Suspended(), ready, 2, "c2", LATER)
    assert suspended.is_ready
    assert suspended.conditions[0].reason == "Suspended"
