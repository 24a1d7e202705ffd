from dataclasses import replace
from datetime import timedelta

import pytest

from gnomon.operator.actions import (
    Apply,
    CancelRun,
    Prune,
    SetRoutes,
    StartGateway,
    StartRun,
    TakeSnapshot,
    TargetVersion,
    WriteRelease,
)
from gnomon.operator.controllers.model import INTERRUPTED
from gnomon.operator.outcomes import Done, Stalled, Waiting
from gnomon.operator.plan import plan
from gnomon.operator.revert import lock_state, merge_mark
from gnomon.operator.state import Blocked, Desired, GatewayView, Observed, SourceFiles
from gnomon.resources.identity import ResourceKey, Revision
from gnomon.stores.records.interface import ReleaseMark
from gnomon.stores.repositories.interface import FileVersion
from tests.operator.states import (
    DATASET,
    MANIFESTS,
    MODEL,
    MODEL_YAML,
    NOW,
    SERVICE,
    SERVICE_YAML,
    desired_of,
    digest,
    fingerprint,
    recorded,
    release_yaml,
    route,
    run_of,
    settled,
    with_runs,
)

RELEASE = "releases/default/delay.yaml"


def released(*pins: tuple[int, str, int], manifests: dict[str, str] | None = None) -> Desired:
    """A commit whose release file went through these (version, letter, sequence), oldest first."""
    files = dict(manifests or MANIFESTS)
    version, letter, sequence = pins[-1]
    files[RELEASE] = release_yaml(version, letter, sequence)
    history = [FileVersion(Revision(f"{n:040d}"), release_yaml(*pin).encode()) for n, pin in enumerate(pins)]
    return replace(desired_of(files), locks={SERVICE: lock_state(tuple(reversed(history)))})


def kept(observed: Observed, *letters: str) -> Observed:
    """The same with artifacts of the model under these letters."""
    return replace(observed, artifacts={digest(letter): "default/delay" for letter in letters})


def actions_of(desired: Desired, observed: Observed) -> list[type]:
    return [type(action) for action in plan(desired, observed, NOW).actions]


def test_a_gateway_that_is_gone_is_started_again() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),), gateway=GatewayView())
    assert actions_of(desired, observed) == [StartGateway, StartRun]


def test_an_empty_home_learns_every_resource_and_then_reads_the_data() -> None:
    desired = desired_of(MANIFESTS)
    assert actions_of(desired, Observed()) == [StartGateway, Apply, Apply, Apply, TakeSnapshot, SetRoutes]


def test_data_that_was_read_starts_a_run() -> None:
    desired = desired_of(MANIFESTS)
    planned = plan(desired, replace(settled(desired), routes=(route(None),)), NOW)
    assert [type(action) for action in planned.actions] == [StartRun]
    assert isinstance(planned.outcomes[MODEL], Waiting)


def test_a_dataset_is_read_once_while_the_reading_is_under_way() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), intakes={}, intakes_under_way=frozenset({DATASET}), routes=(route(None),))
    assert actions_of(desired, observed) == []


def test_changed_files_are_read_again_and_no_run_starts_before() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    changed = replace(desired, sources={DATASET: SourceFiles("files-2")})
    assert actions_of(changed, observed) == [TakeSnapshot]


def test_a_missing_source_stalls_the_dataset_and_leaves_the_last_snapshot_in_use() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    gone = replace(desired, sources={DATASET: SourceFiles(error="no file matches data/*.csv")})
    planned = plan(gone, observed, NOW)
    assert isinstance(planned.outcomes[DATASET], Stalled)
    assert [type(action) for action in planned.actions] == [StartRun]


def test_a_run_under_way_is_left_alone() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    run = run_of(desired, observed, "running")
    observed = replace(with_runs(observed, run), runs_under_way={run.id: "1 of 4 steps"})
    planned = plan(desired, observed, NOW)
    assert planned.actions == ()
    assert "1 of 4 steps" in planned.outcomes[MODEL].message


def test_a_run_that_a_crash_left_behind_is_resumed_under_its_id() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    run = run_of(desired, observed, "running")
    (resumed,) = plan(desired, with_runs(observed, run), NOW).actions
    assert isinstance(resumed, StartRun)
    assert resumed.resume == run.id


def test_a_run_for_inputs_that_nobody_wants_any_more_is_cancelled_and_a_new_one_started() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    run = run_of(desired, observed, "running")
    old = replace(run, fingerprint="another", summary={"parts": {**run.summary["parts"], "data": "older"}})
    observed = replace(with_runs(observed, old), runs_under_way={old.id: "1 of 4 steps"})
    assert actions_of(desired, observed) == [CancelRun, StartRun]


@pytest.mark.parametrize("state", ["refused", "failed"])
def test_a_verdict_is_not_asked_for_twice(state: str) -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    planned = plan(desired, with_runs(observed, run_of(desired, observed, state)), NOW)
    assert planned.actions == ()
    assert isinstance(planned.outcomes[MODEL], Stalled)


def test_changed_data_is_no_reason_where_the_model_does_not_name_it() -> None:
    manifests = {**MANIFESTS, "model.yaml": MODEL_YAML + "  retrain: {when: [code]}\n"}
    desired = desired_of(manifests)
    observed = replace(settled(desired), routes=(route(None),))
    run = run_of(desired, observed, "passed", 1)
    before = replace(run, fingerprint="another", summary={"parts": {**run.summary["parts"], "data": "older"}})
    planned = plan(desired, with_runs(observed, before), NOW)
    assert StartRun not in [type(action) for action in planned.actions]
    assert "names code" in planned.outcomes[MODEL].message
    # What passed before still speaks for the model: its release is not lost where it could not be written in time.
    assert [type(action) for action in planned.actions] == [WriteRelease]


def test_a_changed_spec_starts_a_run_whatever_the_model_names() -> None:
    manifests = {**MANIFESTS, "model.yaml": MODEL_YAML + "  retrain: {when: []}\n"}
    desired = desired_of(manifests)
    observed = replace(settled(desired), routes=(route(None),))
    run = run_of(desired, observed, "passed", 1)
    before = replace(run, fingerprint="another", summary={"parts": {**run.summary["parts"], "spec": "older"}})
    assert StartRun in actions_of(desired, with_runs(observed, before))


def test_a_cooldown_holds_the_next_run_back_until_it_is_over() -> None:
    manifests = {**MANIFESTS, "model.yaml": MODEL_YAML + "  retrain: {cooldown: 2h}\n"}
    desired = desired_of(manifests)
    observed = replace(settled(desired), routes=(route(None),))
    before = replace(run_of(desired, observed, "refused"), fingerprint="another", summary={"parts": {}})
    planned = plan(desired, with_runs(observed, before), NOW)
    outcome = planned.outcomes[MODEL]
    assert isinstance(outcome, Waiting)
    assert outcome.after == timedelta(hours=1)
    later = plan(desired, with_runs(observed, before), NOW + timedelta(hours=1))
    assert [type(action) for action in later.actions] == [StartRun]


def test_most_runs_a_day_are_counted_over_the_last_24_hours() -> None:
    manifests = {**MANIFESTS, "model.yaml": MODEL_YAML + "  retrain: {maxPerDay: 2}\n"}
    desired = desired_of(manifests)
    observed = replace(settled(desired), routes=(route(None),))
    run = replace(run_of(desired, observed, "refused"), fingerprint="another", summary={"parts": {}})
    two = (run, replace(run, id="run-0", started_at=NOW - timedelta(hours=5)))
    assert "maxPerDay" in plan(desired, with_runs(observed, *two), NOW).outcomes[MODEL].message
    one_is_old = (run, replace(run, id="run-0", started_at=NOW - timedelta(hours=25)))
    assert StartRun in actions_of(desired, with_runs(observed, *one_is_old))


def test_a_passed_run_is_written_to_git_before_any_traffic_moves() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    planned = plan(desired, with_runs(observed, run_of(desired, observed, "passed", 1)), NOW)
    (write,) = planned.actions
    assert isinstance(write, WriteRelease)
    assert (write.version, write.digest) == (1, digest("1"))


def test_a_release_in_git_becomes_a_route_and_the_service_is_ready_only_when_every_worker_serves_it() -> None:
    desired = released((1, "1", 1))
    observed = kept(replace(settled(desired), routes=(route(None),)), "1")
    observed = with_runs(observed, run_of(desired, observed, "passed", 1))
    planned = plan(desired, observed, NOW)
    assert [type(action) for action in planned.actions] == [SetRoutes]
    assert isinstance(planned.outcomes[SERVICE], Waiting)
    serving = replace(
        observed, routes=(route(1),), gateway=GatewayView(is_up=True, applied=True, active={"delay": digest("1")})
    )
    again = plan(desired, serving, NOW)
    assert again.actions == ()
    assert isinstance(again.outcomes[SERVICE], Done)


def test_a_reverted_release_brings_the_old_version_back_keeps_the_new_one_warm_and_is_not_offered_again() -> None:
    desired = released((1, "1", 1), (2, "2", 2), (1, "1", 1))
    observed = kept(replace(settled(desired), routes=(route(2, "2"),)), "1", "2")
    observed = with_runs(observed, run_of(desired, observed, "passed", 2, "2"))
    planned = plan(desired, observed, NOW)
    (routes,) = planned.actions
    assert isinstance(routes, SetRoutes)
    assert routes.routes == (route(1, "1", (TargetVersion(2, digest("2")),)),)


def test_after_a_revert_a_new_version_is_promoted_again() -> None:
    desired = released((1, "1", 1), (2, "2", 2), (1, "1", 1))
    warm = (TargetVersion(2, digest("2")),)
    observed = kept(replace(settled(desired), routes=(route(1, "1", warm),)), "1", "2")
    observed = with_runs(observed, run_of(desired, observed, "passed", 3, "3"))
    (write,) = plan(desired, observed, NOW).actions
    assert isinstance(write, WriteRelease)
    assert write.version == 3


def test_after_a_revert_hold_waits_for_a_person() -> None:
    manifests = {**MANIFESTS, "service.yaml": SERVICE_YAML + "  release: {afterRevert: hold}\n"}
    desired = released((1, "1", 1), (2, "2", 2), (1, "1", 1), manifests=manifests)
    warm = (TargetVersion(2, digest("2")),)
    observed = kept(replace(settled(desired), routes=(route(1, "1", warm),)), "1", "2")
    observed = with_runs(observed, run_of(desired, observed, "passed", 3, "3"))
    observed = replace(observed, gateway=GatewayView(is_up=True, applied=True, active={"delay": digest("1")}))
    planned = plan(desired, observed, NOW)
    assert planned.actions == ()
    assert "is held" in planned.outcomes[SERVICE].message


def test_a_pinned_digest_without_an_artifact_leaves_the_last_good_route() -> None:
    desired = released((1, "1", 1), (2, "2", 2))
    observed = kept(replace(settled(desired), routes=(route(1),)), "1")
    observed = with_runs(observed, run_of(desired, observed, "passed", 2, "2"))
    planned = plan(desired, observed, NOW)
    assert isinstance(planned.outcomes[SERVICE], Stalled)
    assert SetRoutes not in [type(action) for action in planned.actions]


def test_a_pinned_artifact_of_another_model_is_refused() -> None:
    desired = released((1, "1", 1))
    observed = replace(settled(desired), routes=(route(None),), artifacts={digest("1"): "default/other"})
    observed = with_runs(observed, run_of(desired, observed, "passed", 1))
    planned = plan(desired, observed, NOW)
    assert "artifact of default/other" in planned.outcomes[SERVICE].message
    assert planned.actions == ()


def test_a_blocked_release_is_not_tried_again_before_its_time() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    observed = with_runs(observed, run_of(desired, observed, "passed", 1))
    blocked = Blocked(digest("1"), "protected branch", NOW + timedelta(seconds=5))
    planned = plan(desired, replace(observed, blocked={SERVICE: blocked}), NOW)
    assert planned.actions == ()
    assert "protected branch" in planned.outcomes[SERVICE].message
    later = plan(desired, replace(observed, blocked={SERVICE: blocked}), NOW + timedelta(seconds=6))
    assert [type(action) for action in later.actions] == [WriteRelease]


def test_a_broken_file_holds_its_resource_and_says_where() -> None:
    good = desired_of(MANIFESTS)
    broken = desired_of({**MANIFESTS, "service.yaml": SERVICE_YAML + "  modle: delay\n"}, good.compiled.declared)
    observed = replace(settled(good), routes=(route(None),))
    planned = plan(broken, observed, NOW)
    outcome = planned.outcomes[SERVICE]
    assert isinstance(outcome, Stalled)
    assert "service.yaml:6:3" in outcome.message
    assert not any(isinstance(action, Prune | Apply) for action in planned.actions)


def test_a_resource_that_left_is_pruned() -> None:
    manifests = {**MANIFESTS, **{f"d{n}.yaml": MANIFESTS["dataset.yaml"].replace("flights", f"more-{n}") for n in range(4)}}
    before = desired_of(manifests)
    after = desired_of({path: text for path, text in manifests.items() if path != "d0.yaml"})
    planned = plan(after, replace(settled(before), routes=(route(None),)), NOW)
    assert Prune(ResourceKey("Dataset", "default", "more-0")) in planned.actions


def test_a_mass_deletion_is_refused_and_the_services_keep_their_routes() -> None:
    before = desired_of(MANIFESTS)
    observed = replace(settled(before), routes=(route(1),))
    planned = plan(desired_of({}), observed, NOW)
    assert planned.actions == ()
    assert "Gnomon-Allow-Prune: 3" in planned.prune_refused


def test_a_mass_deletion_goes_through_where_the_commit_allows_it() -> None:
    before = desired_of(MANIFESTS)
    allowed = replace(desired_of({}), allowed_prunes=3)
    assert actions_of(allowed, replace(settled(before), routes=(route(1),))) == [Prune, Prune, Prune, SetRoutes]


def test_a_hand_changed_route_is_put_right() -> None:
    desired = released((1, "1", 1))
    observed = kept(replace(settled(desired), routes=(route(None),)), "1", "f")
    observed = with_runs(observed, run_of(desired, observed, "passed", 1))
    by_hand = replace(observed, routes=(route(9, "f"),))
    (routes,) = plan(desired, by_hand, NOW).actions
    assert isinstance(routes, SetRoutes)
    assert routes.routes == (route(1),)


def test_a_fingerprint_does_not_change_with_keys_that_do_not_touch_the_result() -> None:
    plain, tuned = (
        desired_of(MANIFESTS),
        desired_of({**MANIFESTS, "model.yaml": MODEL_YAML + "  resources: {memory: 2GiB}\n  retrain: {cooldown: 1h}\n"}),
    )
    assert fingerprint(plain, settled(plain)) == fingerprint(tuned, settled(tuned))
    other = desired_of({**MANIFESTS, "model.yaml": MODEL_YAML.replace("ridge", "lightgbm")})
    assert fingerprint(plain, settled(plain)) != fingerprint(other, settled(other))


def test_a_suspended_service_keeps_its_route_whatever_git_pins() -> None:
    manifests = {**MANIFESTS, "service.yaml": SERVICE_YAML + "  suspend: true\n"}
    desired = released((1, "1", 1), (2, "2", 2), manifests=manifests)
    observed = kept(replace(settled(desired), routes=(route(1),)), "1", "2")
    observed = with_runs(observed, run_of(desired, observed, "passed", 2, "2"))
    assert plan(desired, observed, NOW).actions == ()


def test_a_resource_that_is_renamed_is_judged_the_same_before_and_after_the_new_one_is_known() -> None:
    before = desired_of({"dataset.yaml": MANIFESTS["dataset.yaml"]})
    after = desired_of({"dataset.yaml": MANIFESTS["dataset.yaml"].replace("flights", "trips")})
    first = plan(after, replace(settled(before), routes=()), NOW)
    both = {**settled(before).resources, **recorded(after)}
    second = plan(after, replace(settled(before), resources=both, routes=()), NOW)
    assert Prune(DATASET) in first.actions
    assert Prune(DATASET) in second.actions
    assert first.prune_refused == second.prune_refused == ""


def test_a_renamed_file_with_a_syntax_error_is_no_deletion() -> None:
    before = desired_of(MANIFESTS)
    manifests = {"dataset.yaml": MANIFESTS["dataset.yaml"], "model.yaml": MODEL_YAML, "new.yaml": SERVICE_YAML + "\t- broken\n"}
    after = desired_of(manifests, before.compiled.declared)
    assert SERVICE not in after.compiled.declared
    planned = plan(after, replace(settled(before), routes=(route(1),)), NOW)
    assert not [action for action in planned.actions if isinstance(action, Prune | SetRoutes)]
    assert "new.yaml" in planned.prune_refused
    assert isinstance(planned.outcomes[SERVICE], Stalled)
    # Nor where the records that knew the service are lost.
    lost = replace(settled(before), resources={}, routes=(route(1),))
    assert SetRoutes not in [type(action) for action in plan(after, lost, NOW).actions]


def test_resources_whose_pruning_is_refused_say_so() -> None:
    before = desired_of(MANIFESTS)
    planned = plan(desired_of({}), replace(settled(before), routes=(route(1),)), NOW)
    assert all(isinstance(o, Stalled) and o.reason == "PruneRefused" for o in planned.outcomes.values())
    assert planned.outcomes.keys() == before.compiled.declared.keys()


def test_a_held_resource_keeps_its_details() -> None:
    good = released((1, "1", 1))
    broken = desired_of(
        {**MANIFESTS, "service.yaml": SERVICE_YAML + "  modle: x\n", RELEASE: release_yaml(1, "1")}, good.compiled.declared
    )
    observed = kept(replace(settled(good), routes=(route(1),)), "1")
    outcome = plan(broken, observed, NOW).outcomes[SERVICE]
    assert outcome.details["version"] == 1


def switching(gateway: GatewayView) -> tuple[Desired, Observed]:
    desired = released((1, "1", 1))
    observed = kept(replace(settled(desired), routes=(route(1),), gateway=gateway), "1")
    return desired, with_runs(observed, run_of(desired, observed, "passed", 1))


@pytest.mark.parametrize(
    ("gateway", "reason"),
    [
        (GatewayView(is_up=True, written_at=NOW), "Switching"),
        (GatewayView(is_up=True, written_at=NOW - timedelta(minutes=2)), "GatewayUnresponsive"),
        (GatewayView(is_up=True, problem="gateway.json is not the gateway's"), "GatewayUnreadable"),
        (GatewayView(problem="127.0.0.1:8081 is taken"), "GatewayStarting"),
        # An error of the routes before these says nothing about these.
        (GatewayView(is_up=True, errors={"delay": "golden rows differ"}, written_at=NOW), "Switching"),
        (GatewayView(is_up=True, applied=True, errors={"delay": "golden rows differ"}), "LoadFailed"),
    ],
)
def test_a_service_says_why_it_does_not_serve_yet(gateway: GatewayView, reason: str) -> None:
    outcome = plan(*switching(gateway), NOW).outcomes[SERVICE]
    assert isinstance(outcome, Waiting | Stalled)
    assert outcome.reason == reason
    assert gateway.problem in outcome.message


def test_a_missing_artifact_says_what_serves_meanwhile_and_what_becomes_of_the_model() -> None:
    desired = released((1, "1", 1), (2, "2", 2), (1, "1", 1))
    observed = kept(replace(settled(desired), routes=(route(None),)), "2")
    observed = with_runs(observed, run_of(desired, observed, "passed", 2, "2"))
    message = plan(desired, observed, NOW).outcomes[SERVICE].message
    assert "no artifact is kept under sha256:1111" in message
    assert "nothing serves meanwhile" in message
    assert "v2 of delay was withdrawn in Git" in message
    serving = replace(observed, gateway=GatewayView(is_up=True, applied=True, active={"delay": digest("2")}))
    assert "the last good version (sha256:2222" in plan(desired, serving, NOW).outcomes[SERVICE].message


def test_a_failed_run_is_tried_again_with_other_limits_and_only_then() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    run = run_of(desired, observed, "failed")
    more = desired_of({**MANIFESTS, "model.yaml": MODEL_YAML + "  resources: {timeout: 2h}\n"})
    again = plan(more, with_runs(replace(observed, resources=recorded(more)), run), NOW)
    assert [type(action) for action in again.actions] == [StartRun]
    refused = run_of(desired, observed, "refused")
    assert plan(more, with_runs(replace(observed, resources=recorded(more)), refused), NOW).actions == ()


def test_an_interrupted_run_is_tried_again_ever_more_seldom() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    run = replace(run_of(desired, observed, "failed"), reason=INTERRUPTED, message="the disk is full", ended_at=NOW)
    for tries, minutes in ((1, 1), (2, 2), (3, 4), (20, 60)):
        tried = with_runs(observed, *[replace(run, id=f"run-{n}") for n in range(tries)])
        outcome = plan(desired, tried, NOW).outcomes[MODEL]
        assert isinstance(outcome, Waiting)
        assert outcome.after == timedelta(minutes=minutes)
        due = plan(desired, tried, NOW + timedelta(minutes=minutes))
        assert [type(action) for action in due.actions] == [StartRun]


def test_a_reading_that_was_interrupted_is_tried_again_when_its_time_has_come() -> None:
    desired = desired_of(MANIFESTS)
    observed = replace(settled(desired), routes=(route(None),))
    at = NOW + timedelta(minutes=1)
    intake = replace(observed.intakes[DATASET], error="the disk is full", retry_at=at.isoformat())
    observed = replace(observed, intakes={DATASET: intake})
    assert TakeSnapshot not in actions_of(desired, observed)
    assert isinstance(plan(desired, observed, NOW).outcomes[DATASET], Waiting)
    assert TakeSnapshot in [type(action) for action in plan(desired, observed, at).actions]


def test_a_suspended_dataset_lets_models_train_on_its_last_snapshot_and_reads_nothing() -> None:
    suspended = desired_of({**MANIFESTS, "dataset.yaml": MANIFESTS["dataset.yaml"] + "  suspend: true\n"})
    before = settled(desired_of(MANIFESTS))
    observed = replace(before, resources=recorded(suspended), routes=(route(None),))
    assert actions_of(suspended, observed) == [StartRun]
    never_read = replace(observed, intakes={})
    outcome = plan(suspended, never_read, NOW).outcomes[MODEL]
    assert isinstance(outcome, Stalled)
    assert "is suspended" in outcome.message


def test_a_run_names_the_versions_that_git_knows() -> None:
    desired = released((1, "1", 1), (2, "2", 2))
    observed = replace(settled(desired), routes=(route(None),))
    (start,) = [action for action in plan(desired, observed, NOW).actions if isinstance(action, StartRun)]
    assert set(start.released) == {TargetVersion(1, digest("1")), TargetVersion(2, digest("2"))}


def test_a_release_that_a_new_history_does_not_know_goes_on_serving_until_a_person_has_looked() -> None:
    lost = merge_mark(lock_state(()), ReleaseMark(SERVICE, 2, (digest("1"), digest("2"))))
    desired = replace(desired_of(MANIFESTS), locks={SERVICE: lost})
    observed = replace(settled(desired), routes=(route(2, "2"),))
    observed = replace(observed, gateway=GatewayView(is_up=True, applied=True, active={"delay": digest("2")}))
    observed = with_runs(observed, run_of(desired, observed, "passed", 2, "2"))
    planned = plan(desired, observed, NOW)
    assert planned.actions == ()
    outcome = planned.outcomes[SERVICE]
    assert isinstance(outcome, Stalled)
    assert outcome.reason == "ReleaseLost"
    assert "goes on serving" in outcome.message


def test_the_first_release_taken_back_leaves_nothing_to_serve() -> None:
    history = (FileVersion(Revision("2" * 40), None), FileVersion(Revision("1" * 40), release_yaml(1, "1").encode()))
    desired = replace(desired_of(MANIFESTS), locks={SERVICE: lock_state(history)})
    observed = kept(replace(settled(desired), routes=(route(1),)), "1")
    observed = with_runs(observed, run_of(desired, observed, "passed", 1))
    (routes,) = plan(desired, observed, NOW).actions
    assert isinstance(routes, SetRoutes)
    assert routes.routes == (route(None),)
