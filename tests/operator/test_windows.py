from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gnomon.operator.actions import CancelRun, IndexWindows, WriteRelease
from gnomon.operator.controllers.model import standing_run
from gnomon.operator.outcomes import Done, Stalled, Waiting
from gnomon.operator.plan import plan
from gnomon.operator.state import Indexed, Observed
from gnomon.resources.status import Status
from gnomon.stores.records.interface import RunRecord
from tests.operator.states import MODEL, NOW, digest, recorded
from tests.operator.windowed_states import WINDOW, Rows, backfilled, days, finished, others, outcome, starts, windowed

TIMES = days("2026-04-10")
CHAINED = WINDOW + "  gates: [{metric: rmse, against: champion}]\n"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return Rows(tmp_path_factory.mktemp("rows"))


def test_rows_are_told_apart_by_time_before_any_run_starts(rows: Rows) -> None:
    desired = windowed()
    observed = rows.observed(desired, TIMES)
    ((request, _),) = observed.indexes.items()
    for unknown in ({}, {request: Indexed(digest("e"))}):
        (index,) = plan(desired, replace(observed, indexes=unknown), NOW).actions
        assert isinstance(index, IndexWindows)
        assert (index.request, index.snapshot) == (request, digest("d"))
    begun = replace(observed, indexes={}, indexes_under_way=frozenset({request}))
    assert plan(desired, begun, NOW).actions == ()


def test_indexing_that_was_interrupted_is_tried_again_when_its_time_has_come(rows: Rows) -> None:
    desired = windowed()
    observed = rows.observed(desired, TIMES)
    (request,) = observed.indexes
    at = NOW + timedelta(minutes=1)
    failed = replace(observed, indexes={request: Indexed(digest("d"), None, "the disk is full", at.isoformat())})
    assert plan(desired, failed, NOW).actions == ()
    assert "the disk is full" in outcome(desired, failed).message
    assert len(plan(desired, failed, at).actions) == 1


def test_wanted_windows_are_started_in_the_order_of_time_and_as_many_as_may_be_at_once(rows: Rows) -> None:
    desired = windowed()
    observed = rows.observed(desired, TIMES)
    assert list(starts(desired, observed)) == ["2026-01", "2026-02"]
    assert list(starts(desired, replace(observed, at_once=8))) == ["2026-01", "2026-02", "2026-03"]
    narrow = windowed(WINDOW + "  resources: {parallel: 1}\n")
    assert list(starts(narrow, rows.observed(narrow, TIMES))) == ["2026-01"]
    first = finished(starts(desired, observed)["2026-01"], "running")
    assert list(starts(desired, rows.observed(desired, TIMES, first))) == ["2026-02"]


def test_without_a_backfill_only_the_newest_complete_window_is_trained_on(rows: Rows) -> None:
    desired = windowed("  window: {span: 1mo}\n")
    assert list(starts(desired, rows.observed(desired, TIMES))) == ["2026-03"]


def test_a_run_tells_its_window_and_rows_and_has_a_fingerprint_of_its_own(rows: Rows) -> None:
    desired = windowed()
    found = starts(desired, replace(rows.observed(desired, TIMES), at_once=9))
    assert {label: start.window.rows for label, start in found.items() if start.window} == {
        "2026-01": 31,
        "2026-02": 28,
        "2026-03": 31,
    }
    assert len({start.fingerprint for start in found.values()}) == 3


def test_a_backfill_tells_how_far_it_is_and_what_is_left(rows: Rows) -> None:
    desired = windowed()
    first = next(backfilled(rows, desired, TIMES))
    begun = starts(desired, rows.observed(desired, TIMES, first))
    running = [finished(start, "running", 7 + n) for n, start in enumerate(begun.values())]
    waiting = outcome(desired, rows.observed(desired, TIMES, first, *running))
    assert isinstance(waiting, Waiting)
    assert waiting.message == "1 of 3 windows, 2 running (2026-02, 2026-03), about 1 min left"
    assert waiting.details["windows"] == {
        "wanted": 3,
        "oldest": "2026-01",
        "newest": "2026-03",
        "passed": 1,
        "running": 2,
        "incomplete": "2026-04",
    }


def test_when_every_window_has_a_verdict_nothing_is_left_to_do_but_to_release_the_newest(rows: Rows) -> None:
    desired = windowed()
    runs = list(backfilled(rows, desired, TIMES))
    observed = rows.observed(desired, TIMES, *runs)
    done = outcome(desired, observed)
    assert isinstance(done, Done)
    assert done.message == "3 of 3 windows; 2026-03: passed in a test"
    (write,) = plan(desired, observed, NOW).actions
    assert isinstance(write, WriteRelease)
    assert (write.version, write.run) == (3, "run-3")


def test_late_rows_run_the_windows_that_they_touch_again_and_no_other(rows: Rows) -> None:
    desired = windowed()
    runs = list(backfilled(rows, desired, TIMES))
    late = rows.observed(desired, [*TIMES, TIMES[40], TIMES[41] + timedelta(hours=1)], *runs, letter="e")
    found = starts(desired, late)
    assert {label: start.why for label, start in found.items()} == {"2026-02": "window 2026-02 has 2 late rows"}
    # The newest window speaks for the model all the same.
    model = desired.models()[0][1]
    assert standing_run(model, desired, late) == runs[-1]


def test_a_new_window_is_news_and_the_windows_that_slip_out_are_forgotten(rows: Rows) -> None:
    desired = windowed()
    runs = list(backfilled(rows, desired, TIMES))
    found = starts(desired, rows.observed(desired, days("2026-05-03"), *runs))
    assert {label: start.why for label, start in found.items()} == {"2026-04": "window 2026-04 is complete"}
    assert standing_run(desired.models()[0][1], desired, rows.observed(desired, days("2026-05-03"), *runs)) is None


def test_where_new_data_is_no_reason_a_backfill_goes_on_all_the_same(rows: Rows) -> None:
    desired = windowed(WINDOW + "  retrain: {when: [code]}\n")
    runs = list(backfilled(rows, desired, TIMES))
    assert len(runs) == 3
    later = rows.observed(desired, [*days("2026-05-03"), TIMES[40]], *runs)
    assert starts(desired, later) == {}
    kept = outcome(desired, later)
    assert isinstance(kept, Done)
    assert kept.reason == "NotRetrained"
    assert "window 2026-04 is complete, but spec.retrain.when names code" in kept.message
    assert "changed since, and not trained again: 2026-02" in kept.message
    assert standing_run(desired.models()[0][1], desired, later) == runs[-1]
    wider = windowed(WINDOW.replace("3", "4") + "  retrain: {when: [code]}\n")
    earlier = [TIMES[0] - timedelta(days=n) for n in range(1, 62)]
    assert list(starts(wider, rows.observed(wider, [*earlier, *TIMES], *runs))) == ["2025-12"]


def test_where_a_gate_compares_with_the_champion_each_window_waits_for_the_one_before(rows: Rows) -> None:
    desired = windowed(CHAINED)
    observed = replace(rows.observed(desired, TIMES), at_once=9)
    (first,) = starts(desired, observed).values()
    assert first.champion is None
    running = finished(first, "running")
    assert starts(desired, replace(rows.observed(desired, TIMES, running), at_once=9)) == {}
    passed = finished(first)
    (second,) = starts(desired, replace(rows.observed(desired, TIMES, passed), at_once=9)).values()
    assert (str(second.window and second.window.window), second.champion) == ("2026-02", passed.artifact)
    # A window that was refused leaves the champion as it is.
    refused = finished(second, "refused", 2)
    (third,) = starts(desired, replace(rows.observed(desired, TIMES, passed, refused), at_once=9)).values()
    assert (str(third.window and third.window.window), third.champion) == ("2026-03", passed.artifact)


def test_windows_that_are_not_wanted_any_more_are_cancelled_and_a_crash_is_resumed(rows: Rows) -> None:
    desired = windowed()
    first = finished(starts(desired, rows.observed(desired, TIMES))["2026-01"], "running")
    narrow = windowed("  window: {span: 1mo}\n")
    assert others(narrow, rows.observed(narrow, TIMES, first)) == [
        CancelRun(MODEL, first.id, "its window is not wanted any more")
    ]
    crashed = replace(rows.observed(desired, TIMES, first), runs_under_way={})
    assert {label: start.resume for label, start in starts(desired, crashed).items()} == {"2026-01": first.id, "2026-02": None}


def test_a_run_whose_rows_change_under_it_is_replaced_and_the_others_go_on(rows: Rows) -> None:
    desired = windowed()
    begun = starts(desired, rows.observed(desired, TIMES))
    running = [finished(start, "running", n) for n, start in enumerate(begun.values(), 1)]
    late = rows.observed(desired, [*TIMES, TIMES[3]], *running)
    assert list(starts(desired, late)) == ["2026-01"]
    assert others(desired, late) == [CancelRun(MODEL, "run-1", "something that it was made from has changed")]


def test_an_older_window_is_never_released_in_place_of_a_newer_one(rows: Rows) -> None:
    desired = windowed()
    runs = list(backfilled(rows, desired, TIMES))
    model = desired.models()[0][1]
    fewer = rows.observed(desired, days("2026-03-10"), *runs)
    assert standing_run(model, desired, fewer) is None
    assert WriteRelease not in [type(action) for action in plan(desired, fewer, NOW).actions]
    # Nor where the newest one was refused.
    refused = replace(runs[-1], state="refused", version=None)
    judged = rows.observed(desired, TIMES, *runs[:-1], refused)
    assert WriteRelease not in [type(action) for action in plan(desired, judged, NOW).actions]
    assert isinstance(outcome(desired, judged), Stalled)
    # Windows of another shape are another wish.
    shorter = windowed("  window: {span: 30d, closedUntil: 2026-03-01}\n")
    (other,) = starts(shorter, rows.observed(shorter, days("2026-02-20"), *runs)).values()
    passed = finished(other, version=9)
    assert standing_run(shorter.models()[0][1], shorter, rows.observed(shorter, days("2026-02-20"), *runs, passed)) == passed


def test_runs_over_all_rows_say_nothing_of_windows(rows: Rows) -> None:
    desired = windowed()
    whole = replace(next(backfilled(rows, desired, TIMES)), summary={"parts": {"spec": "older"}}, fingerprint="whole")
    found = starts(desired, rows.observed(desired, TIMES, whole))
    assert [start.why for start in found.values()] == ["first run for window 2026-01", "first run for window 2026-02"]


def test_cooldown_and_most_runs_a_day_are_counted_for_each_window(rows: Rows) -> None:
    desired = windowed(WINDOW + "  retrain: {cooldown: 20h}\n")
    runs = list(backfilled(rows, desired, TIMES))
    assert len(runs) == 3
    late = rows.observed(desired, [*TIMES, TIMES[40]], *runs)
    held = outcome(desired, late)
    assert isinstance(held, Waiting)
    assert held.reason == "HeldBack"
    assert list(starts(desired, late, NOW + held.after)) == ["2026-02"]


@pytest.mark.parametrize(
    ("window", "times", "reason", "told"),
    [
        (
            "{span: 1mo}",
            days("2026-01-20"),
            "NoCompleteWindow",
            "window 2026-01 is not complete: rows reach 2026-01-19T13:00:00Z",
        ),
        ("{span: 1mo}", days("2026-01-20"), "NoCompleteWindow", "spec.window.closedUntil says so"),
        (
            "{span: 1mo, backfill: {since: 2027-01-01}}",
            TIMES,
            "NoCompleteWindow",
            "no window with rows begins at 2027-01-01 or later",
        ),
    ],
)
def test_where_no_window_is_complete_it_is_told_why(
    rows: Rows, window: str, times: list[datetime], reason: str, told: str
) -> None:
    desired = windowed(f"  window: {window}\n")
    waiting = outcome(desired, rows.observed(desired, times))
    assert isinstance(waiting, Waiting)
    assert waiting.reason == reason
    assert told in waiting.message


def test_fewer_windows_than_asked_for_are_told(rows: Rows) -> None:
    desired = windowed(WINDOW.replace("3", "5"))
    runs = list(backfilled(rows, desired, TIMES))
    message = outcome(desired, rows.observed(desired, TIMES, *runs)).message
    assert "5 are asked for, and window 2026-04 is not complete: rows reach 2026-04-09T13:00:00Z" in message


def scheduled(observed: Observed, taken_up: datetime) -> Observed:
    """The same, with a status that tells up to when firings are over."""
    details = {"schedule": {"takenUp": taken_up.isoformat(), "next": ""}}
    resources = {key: replace(record, status=Status(details=details)) for key, record in observed.resources.items()}
    return replace(observed, resources=resources)


def test_with_a_schedule_what_changed_is_taken_up_when_it_is_due(rows: Rows) -> None:
    desired = windowed(WINDOW + '  retrain: {schedule: "0 3 * * 1"}\n')
    runs = list(backfilled(rows, desired, TIMES))  # which waits for no schedule
    late = rows.observed(desired, [*TIMES, TIMES[40]], *runs)
    monday = datetime.fromisoformat("2026-04-06T03:00:00+00:00")  # NOW is the Wednesday before
    waiting = outcome(desired, scheduled(late, NOW))
    assert "changed since, and not trained again: 2026-02" in waiting.message
    assert waiting.details["schedule"] == {"takenUp": NOW.isoformat(), "next": monday.isoformat()}
    assert isinstance(waiting, Done)
    assert waiting.look_again == monday - NOW
    before = monday - timedelta(seconds=1)
    assert starts(desired, scheduled(late, NOW), before) == {}
    # Whoever was away on Monday takes it up on Tuesday; and until there is a run, it stays due.
    for now in (monday, monday + timedelta(days=1)):
        assert list(starts(desired, scheduled(late, NOW), now)) == ["2026-02"]
        assert outcome(desired, scheduled(late, NOW), now).details["schedule"]["takenUp"] == NOW.isoformat()
    running = finished(starts(desired, scheduled(late, NOW), monday)["2026-02"], "running", 9)
    begun = rows.observed(desired, [*TIMES, TIMES[40]], *runs, running)
    told = outcome(desired, scheduled(begun, NOW), monday).details["schedule"]
    assert told == {"takenUp": monday.isoformat(), "next": "2026-04-13T03:00:00+00:00"}
    # What changes while that goes on waits for the next time, and does not end it.
    more = rows.observed(desired, [*TIMES, TIMES[40], TIMES[41]], *runs, running)
    assert {type(action) for action in plan(desired, scheduled(more, monday), monday).actions} == {WriteRelease}


def test_a_schedule_starts_nothing_where_nothing_changed_and_a_changed_spec_waits_for_none(rows: Rows) -> None:
    text = WINDOW + '  retrain: {schedule: "0 3 * * 1", timezone: Europe/Brussels}\n'
    desired = windowed(text)
    runs = list(backfilled(rows, desired, TIMES))
    settled = rows.observed(desired, TIMES, *runs)
    tuesday = datetime.fromisoformat("2026-04-07T00:00:00+00:00")
    assert starts(desired, scheduled(settled, NOW), tuesday) == {}
    assert outcome(desired, scheduled(settled, NOW), tuesday).details["schedule"] == {
        "takenUp": "2026-04-06T01:00:00+00:00",
        "next": "2026-04-13T01:00:00+00:00",
    }
    other = windowed(text.replace("retrain", "split: {seed: 8}\n  retrain"))
    changed = replace(rows.observed(other, TIMES, *runs), resources=recorded(other))
    assert list(starts(other, scheduled(changed, NOW))) == ["2026-01", "2026-02"]
    first = next(iter(starts(other, scheduled(changed, NOW)).values()))
    assert first.why == "window 2026-01: spec changed"


def test_with_both_when_names_what_is_taken_up_at_once(rows: Rows) -> None:
    desired = windowed(WINDOW + '  retrain: {when: [data], schedule: "0 3 * * 1"}\n')
    runs: list[RunRecord] = list(backfilled(rows, desired, TIMES))
    late = scheduled(rows.observed(desired, [*TIMES, TIMES[40]], *runs), NOW)
    assert list(starts(desired, late)) == ["2026-02"]
    other_code = replace(scheduled(rows.observed(desired, TIMES, *runs), NOW), code="code-2")
    assert starts(desired, other_code) == {}
    monday = datetime.fromisoformat("2026-04-06T03:00:00+00:00")
    assert len(starts(desired, other_code, monday)) == 2
