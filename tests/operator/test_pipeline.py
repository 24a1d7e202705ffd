"""When a pipeline runs: the decisions of its controller, from state alone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gnomon.operator.actions import CancelRun, StartPipelineRun
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.controllers.pipeline import reconcile_pipeline
from gnomon.operator.outcomes import Done, Stalled, Suspended, Waiting
from gnomon.operator.pipeline_parts import PipelineCode, parts_of, told
from gnomon.operator.run_requests import RunRequest
from gnomon.operator.state import Desired, Intake, Observed
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.status import Condition, Status
from gnomon.stores.records.interface import RunRecord
from tests.operator.states import COMMIT, DATASET, DATASET_YAML, NOW, desired_of, digest, recorded

PIPELINE = ResourceKey("Pipeline", "default", "weekly")
HEAD = "apiVersion: gnomon.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: weekly}\nspec:\n"
SPEC = """\
  params: {rate: 1}
  inputs: {flights: {dataset: flights}}
  steps: [{name: clean, python: "a.py:clean", secrets: [TOKEN]}]
"""
CODE = PipelineCode("checkout-1", "", {"clean": "c1"}, {"clean": "v1"}, limits="l1")


class World:
    """A pipeline, its code, its data and its runs, as one moment sees them."""

    def __init__(self, extra: str = "", code: PipelineCode = CODE, *, suspend: bool = False) -> None:
        text = HEAD + SPEC + extra + ("  suspend: true\n" if suspend else "")
        desired = desired_of({"dataset.yaml": DATASET_YAML, "pipeline.yaml": text})
        self.desired: Desired = replace(desired, pipelines={PIPELINE: code})
        resource = desired.compiled.declared[PIPELINE].resource
        assert isinstance(resource, Pipeline)
        self.pipeline = resource
        intake = Intake(desired.compiled.declared[DATASET].spec_digest, "files-1", COMMIT, digest("d"), rows=9)
        self.observed = Observed(
            resources=recorded(desired), intakes={DATASET: intake}, variables=frozenset({"TOKEN"}), runs={PIPELINE: ()}
        )

    def see(self, **changes: Any) -> "World":
        self.observed = replace(self.observed, **changes)
        return self

    def with_runs(self, *runs: RunRecord) -> "World":
        return self.see(runs={PIPELINE: runs})

    def decide(self, after: timedelta = timedelta(0)) -> Decision:
        return reconcile_pipeline(self.pipeline, self.desired, self.observed, NOW + after)

    def parts(self) -> Mapping[str, str]:
        code = self.desired.pipelines[PIPELINE]
        return dict(parts_of(code, {"flights": digest("d")}).parts)


def run_of(world: World, state: str = "passed", *, hours_ago: float = 1, **changes: Any) -> RunRecord:
    """A run of what the world wants, unless told otherwise."""
    parts = changes.pop("parts", world.parts())
    summary = {"parts": parts, "cause": changes.pop("cause", "change"), "params": changes.pop("params", {})}
    run = RunRecord(
        id=f"run-{hours_ago}",
        owner=PIPELINE,
        fingerprint=parts_of(world.desired.pipelines[PIPELINE], {"flights": digest("d")}).digest,
        revision=COMMIT,
        snapshot=Digest("sha256:inputs"),
        state=state,  # type: ignore[arg-type]  # tests name the states
        reason="",
        message=f"{state} in a test",
        started_at=NOW - timedelta(hours=hours_ago),
        ended_at=None if state == "running" else NOW - timedelta(hours=hours_ago) + timedelta(minutes=1),
        summary=summary,
    )
    return replace(run, **changes)


def older(world: World, **other: str) -> RunRecord:
    """A run that passed when some parts were others."""
    return run_of(world, parts={**world.parts(), **other}, fingerprint="another", hours_ago=2)


def started(decision: Decision) -> StartPipelineRun:
    (action,) = decision.actions
    assert isinstance(action, StartPipelineRun)
    return action


def test_the_first_run_starts_by_itself() -> None:
    action = started(World().decide())
    assert (action.why, action.cause, action.checkout) == ("first run", "change", "checkout-1")
    assert action.inputs.snapshots == (("flights", digest("d")),)


def test_what_has_a_verdict_is_not_run_again() -> None:
    world = World()
    passed = world.with_runs(run_of(world)).decide()
    assert isinstance(passed.outcome, Done)
    assert (passed.outcome.reason, passed.actions) == ("StepsDone", ())
    failed = world.with_runs(run_of(world, "failed", reason="StepFailed")).decide()
    assert isinstance(failed.outcome, Stalled)
    assert (failed.outcome.reason, failed.actions) == ("StepFailed", ())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"code:clean": "c0"}, "the code of clean changed"),
        ({"values:clean": "v0"}, "the values of clean changed"),
        ({"data:flights": "s0"}, "the data of flights changed"),
        ({"environment": "e0"}, "the environment changed"),
        ({"code:gone": "x", "data:flights": "y"}, "the code of gone, the data of flights changed"),
    ],
)
def test_a_change_starts_a_run_and_says_what_it_was(changed: dict[str, str], why: str) -> None:
    world = World()
    assert started(world.with_runs(older(world, **changed)).decide()).why == why


@pytest.mark.parametrize(
    ("triggers", "changed", "starts"),
    [
        ("[]", {"code:clean": "c0", "data:flights": "s0"}, False),
        ("[{data: flights}]", {"data:flights": "s0"}, True),
        ("[{data: flights}]", {"code:clean": "c0"}, False),
        ("[{commit: {paths: [x]}}]", {"code:clean": "c0", "watched": "w0"}, True),
        ("[{commit: {paths: [x]}}]", {"code:clean": "c0"}, False),
        ("[{commit: {paths: [x]}}]", {"watched": "w0"}, False),
        ("[{commit: {paths: [x]}}]", {"data:flights": "s0"}, False),
    ],
)
def test_triggers_say_which_changes_start_a_run(triggers: str, changed: dict[str, str], *, starts: bool) -> None:
    world = World(f"  triggers: {triggers}\n", replace(CODE, watched="w1"))
    decision = world.with_runs(older(world, **changed)).decide()
    assert bool(decision.actions) is starts
    if not starts and changed.keys() != {"watched"}:
        assert decision.outcome.message.endswith("changed, which spec.triggers do not name; passed in a test")


def test_without_triggers_the_first_run_waits_to_be_asked_for() -> None:
    decision = World("  triggers: []\n").decide()
    assert isinstance(decision.outcome, Done)
    assert (decision.outcome.reason, decision.actions) == ("NotStarted", ())


def test_a_failed_run_is_tried_again_with_other_limits_and_after_an_interruption() -> None:
    world = World()
    limited = run_of(world, "failed", parts={**world.parts(), "limits": "l0"})
    assert "other limits" in started(world.with_runs(limited).decide()).why
    interrupted = run_of(world, "failed", reason="Interrupted", hours_ago=0.02, ended_at=NOW)
    waiting = world.with_runs(interrupted).decide()
    assert isinstance(waiting.outcome, Waiting)
    assert (waiting.outcome.reason, waiting.actions) == ("Interrupted", ())
    assert "was interrupted" in started(world.decide(timedelta(minutes=2))).why


def test_a_run_under_way_is_left_alone_and_one_that_a_crash_left_is_taken_up() -> None:
    world = World()
    running = run_of(world, "running")
    under_way = world.with_runs(running).see(runs_under_way={running.id: "1 of 3 steps"}).decide()
    assert (under_way.outcome.message, under_way.actions) == (f"run {running.id}: 1 of 3 steps", ())
    action = started(world.see(runs_under_way={}).decide())
    assert (action.resume, action.fingerprint) == (running.id, running.fingerprint)


def test_a_change_ends_the_run_that_a_change_started_and_no_other() -> None:
    world = World()
    before = {**world.parts(), "code:clean": "c0"}
    running = run_of(world, "running", parts=before, fingerprint="another")
    (action,) = world.with_runs(running).see(runs_under_way={running.id: ""}).decide().actions
    assert isinstance(action, CancelRun)
    assert action.why == "the code of clean changed"
    asked = replace(running, summary={**running.summary, "cause": "person"})
    assert world.with_runs(asked).decide().actions == ()


def test_a_suspended_pipeline_ends_its_run_and_starts_none() -> None:
    world = World(suspend=True)
    (action,) = world.with_runs(run_of(world, "running")).decide().actions
    assert isinstance(action, CancelRun)
    decision = world.with_runs().see(run_requests={PIPELINE: (RunRequest("r"),)}).decide()
    assert isinstance(decision.outcome, Suspended)
    assert decision.actions == ()


def test_a_person_starts_a_run_whatever_has_a_verdict() -> None:
    world = World()
    asked = RunRequest("run-asked", {"rate": 2})
    action = started(world.with_runs(run_of(world)).see(run_requests={PIPELINE: (asked,)}).decide())
    assert (action.run, action.cause, action.params) == ("run-asked", "person", {"rate": 2})
    assert action.why == "a person asked for it with rate=2"
    assert action.fingerprint != run_of(world).fingerprint


def test_a_run_with_other_params_says_nothing_of_the_declared_ones() -> None:
    world = World()
    odd = run_of(world, "failed", params={"rate": 2}, fingerprint="other", hours_ago=0.5)
    assert world.with_runs(odd, run_of(world)).decide().outcome.message == "passed in a test"


def test_a_missing_secret_is_named_and_no_run_starts() -> None:
    decision = World().see(variables=frozenset()).decide()
    assert isinstance(decision.outcome, Stalled)
    assert decision.outcome.reason == "SecretMissing"
    assert "TOKEN" in decision.outcome.message
    assert decision.actions == ()


def test_code_that_does_not_fit_is_told_and_no_run_starts() -> None:
    decision = World(code=PipelineCode("x", error="no file a.py (commit it)")).decide()
    assert (decision.outcome, decision.actions) == (Stalled("CodeRefused", "no file a.py (commit it)", {}), ())


def test_data_is_waited_for() -> None:
    world = World()
    never = world.see(intakes={}).decide()
    assert isinstance(never.outcome, Waiting)
    assert never.outcome.reason == "DatasetNotReady"
    bad = Intake("spec", "files-1", COMMIT, None, error="no such column")
    refused = world.see(intakes={DATASET: bad}).decide()
    assert isinstance(refused.outcome, Stalled)
    assert "no such column" in refused.outcome.message
    stale = Intake("spec", "files-0", COMMIT, digest("d"))
    assert world.see(intakes={DATASET: stale}).decide().actions == ()


SCHEDULE = '  schedule: "0 9 * * *"\n'  # half an hour before this moment


def test_a_schedule_starts_a_run_whatever_has_a_verdict_and_once() -> None:
    world = World(SCHEDULE)
    action = started(world.with_runs(run_of(world, hours_ago=1)).decide())
    assert (action.cause, action.why) == ("schedule", "scheduled for 2026-04-01 09:00 UTC")
    settled = world.with_runs(run_of(world, hours_ago=0.1)).decide()
    assert settled.actions == ()
    assert isinstance(settled.outcome, Done)
    assert settled.outcome.message.endswith("; next on 2026-04-02 09:00 UTC")
    assert settled.outcome.look_again == timedelta(hours=23, minutes=30)


def test_a_schedule_counts_from_when_the_pipeline_was_first_seen() -> None:
    world = World(SCHEDULE + "  triggers: []\n")
    assert world.decide().actions == ()
    ready = Condition("Ready", "True", "NotStarted", "", NOW - timedelta(hours=1), 1)
    record = replace(world.observed.resources[PIPELINE], status=Status(1, COMMIT, (ready,)))
    assert started(world.see(resources={PIPELINE: record}).decide()).cause == "schedule"


def test_parts_are_told_in_words() -> None:
    assert told(("code:a", "code:b", "data:x", "environment", "files:c")) == (
        "the code of a and b, the files c, the data of x, the environment"
    )
