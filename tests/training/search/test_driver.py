"""Whole searches over real flights, in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.runners.processes import ProcessRunner
from gnomon.runners.warm import Zygote
from gnomon.stores.records.sql import open_sqlite
from gnomon.training.dag import WARM_MODULES
from gnomon.training.search.driver import follow
from tests.training.search.rig import Rig, spec_of
from tests.training.tables import RealTable, real_table

FEATURES = ("scheduled_at", "carrier", "origin", "distance", "air_time", "morning")


def small(name: str) -> RealTable:
    """Return 1500 flights without what gives their delay away."""
    table = real_table(name)
    return replace(table, frame=table.frame.select(*FEATURES, table.target).head(1500))


LATE, DELAYS = small("late"), small("delays")
DEADLINE_S = 60.0

BOOSTER = {"algorithm": "lightgbm", "params": {"n_estimators": 60, "min_child_samples": 5}}
CANDIDATES: list[dict[str, Any]] = [
    {**BOOSTER, "search": {"num_leaves": [3, 7, 31], "learning_rate": [0.1, 0.3]}},
    {"algorithm": "hist-gradient-boosting", "params": {"max_iter": 60, "max_leaf_nodes": 7}},
    {"algorithm": "extra-trees", "params": {"n_estimators": 30, "max_depth": 6}},
    {"algorithm": "logistic"},
    {"algorithm": "naive-bayes"},
]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    zygote = Zygote(WARM_MODULES)
    yield zygote
    zygote.close()


@pytest.fixture
def runner(zygote: Zygote) -> Iterator[ProcessRunner]:
    runner = ProcessRunner(2, zygote=zygote)
    yield runner
    runner.close()


def test_a_race_finds_the_winner_of_full_fits_for_less(runner: ProcessRunner, tmp_path: Path) -> None:
    rig = Rig(tmp_path, runner, LATE)
    raced = rig.search(spec_of(LATE, CANDIDATES, metric="logLoss"), "raced")
    full = rig.search(spec_of(LATE, CANDIDATES, metric="logLoss", search={"race": False}), "full")
    assert raced.found.record["raced"]
    assert not full.found.record["raced"]
    assert raced.row(raced.winner)["metrics"]["logLoss"] <= full.row(full.winner)["metrics"]["logLoss"]
    assert sum(row.get("length", 0) for row in raced.found.rows if row["algorithm"] == "lightgbm") < 0.7 * 6 * 60
    assert [row["state"] for row in raced.found.rows].count("beaten") >= 3
    assert follow(raced.found.record) == raced.found.ranked
    again = rig.search(spec_of(LATE, CANDIDATES, metric="logLoss"), "again")
    assert again.found.record == raced.found.record
    assert set(again.steps.values()) == {"cached"}
    assert rig.said[-1].startswith(f"10 of 10 candidates, best {again.winner} logLoss 0.")
    assert "left" not in rig.said[-1]
    assert any(words.endswith(" s left") for words in rig.said)


def test_one_more_candidate_is_all_that_is_fitted_anew(runner: ProcessRunner, tmp_path: Path) -> None:
    rig = Rig(tmp_path, runner, LATE)
    ridge = {"algorithm": "logistic", "search": {"C": [0.1, 1.0, 10.0]}}
    boosters = {**BOOSTER, "search": {"num_leaves": [7, 31]}}
    rig.search(spec_of(LATE, [boosters, ridge], search={"race": True}), "first")
    more = {"algorithm": "logistic", "search": {"C": [0.01, 0.1, 1.0, 10.0]}}
    second = rig.search(spec_of(LATE, [boosters, more], search={"race": True}), "second")
    assert second.in_state("done") == ["fit-logistic-1"], "its name is that of another one before"
    whole = rig.search(spec_of(LATE, [more]), "whole")
    fewer = rig.search(spec_of(LATE, [ridge]), "fewer")
    assert (len(whole.in_state("done")), len(fewer.in_state("done"))) == (4, 0)


def test_rounds_that_bring_nothing_end_a_booster_and_the_best_of_them_are_refitted(
    runner: ProcessRunner, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, runner, DELAYS)
    patient = {
        "algorithm": "lightgbm",
        "params": {"n_estimators": 2000, "early_stopping_round": 10, "learning_rate": 0.3},
        "search": {"num_leaves": [15, 31]},
    }
    found = rig.search(spec_of(DELAYS, [patient], metric="mae", search={"race": True})).found
    best = found.ranked[0]
    row = next(row for row in found.rows if row["name"] == best.name)
    assert best.params["early_stopping_round"] == 0
    assert best.params["n_estimators"] == row["found"]["rounds"]
    assert row["found"]["rounds"] + 10 <= row["length"] < 200


def test_a_metric_that_no_row_has_alone_races_too(runner: ProcessRunner, tmp_path: Path) -> None:
    candidates: list[dict[str, Any]] = [
        {**BOOSTER, "search": {"num_leaves": [3, 31]}},
        {"algorithm": "random-forest", "params": {"n_estimators": 20}, "search": {"max_depth": [3, 8]}},
        {"algorithm": "naive-bayes"},
    ]
    found = Rig(tmp_path, runner, LATE).search(spec_of(LATE, candidates, metric="rocAuc", search={"race": True})).found
    areas = [next(row for row in found.rows if row["name"] == plan.name)["metrics"]["rocAuc"] for plan in found.ranked]
    assert areas[0] == max(areas)


def test_a_budget_of_trials_fits_exactly_so_many(runner: ProcessRunner, tmp_path: Path) -> None:
    rig = Rig(tmp_path, runner, DELAYS)
    candidates: list[dict[str, Any]] = [
        {"algorithm": "ridge", "search": {"alpha": {"log": [0.01, 100], "n": 8}}},
        {"algorithm": "linear"},
    ]
    searched = rig.search(spec_of(DELAYS, candidates, search={"budget": {"trials": 4}}))
    assert len(searched.in_state("done")) == 4
    assert [row["state"] for row in searched.found.rows].count("not-tried") == 5
    assert searched.row("linear")["state"] == "fitted"
    assert searched.found.record["tried"] == 4


class Ticking:
    """A clock that stands still until it is told how long everything took."""

    def __init__(self, seconds_a_look: float) -> None:
        self._now, self._step = datetime.now(UTC), timedelta(seconds=seconds_a_look)

    def __call__(self) -> datetime:
        self._now += self._step
        return self._now


def test_a_budget_of_time_stops_a_race_and_what_was_decided_can_be_followed(runner: ProcessRunner, tmp_path: Path) -> None:
    rig = Rig(tmp_path, runner, LATE)
    budget = {"race": True, "budget": {"time": "60s"}}
    searched = rig.search(spec_of(LATE, CANDIDATES, search=budget), clock=Ticking(10.0))
    record = searched.found.record
    assert record["stopped"] == "time"
    assert 1 <= record["tried"] < 10
    assert searched.found.ranked
    assert follow(record)[0].name == searched.winner
    assert {row["state"] for row in searched.found.rows} >= {"not-tried"}


def test_a_budget_is_never_too_small_for_one_candidate(runner: ProcessRunner, tmp_path: Path) -> None:
    rig = Rig(tmp_path, runner, LATE)
    spec = spec_of(LATE, CANDIDATES, search={"budget": {"cost": 1e-9, "pricePerCpuHour": 1}})
    searched = rig.search(spec)
    assert searched.found.record["stopped"] == "cost"
    assert searched.found.ranked


def test_where_rows_do_not_suffice_every_candidate_says_so(runner: ProcessRunner, tmp_path: Path) -> None:
    rig = Rig(tmp_path, runner, LATE)
    found = rig.search(spec_of(LATE, CANDIDATES, features=["nothing"], search={"race": True})).found
    assert not found.ranked
    assert "no column nothing" in found.error
    assert found.prepare.state == "failed"


def test_a_race_that_was_killed_resumes_and_decides_the_same(runner: ProcessRunner, tmp_path: Path) -> None:
    spec = spec_of(LATE, CANDIDATES, metric="logLoss")
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
    whole = Rig(tmp_path / "whole", runner, LATE)
    Rig(tmp_path / "killed", runner, LATE)
    killed = tmp_path / "killed"
    program = (
        "import sys; from pathlib import Path; from tests.training.search.test_driver import killed_half_way;"
        "killed_half_way(Path(sys.argv[1]), sys.argv[2])"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(killed), spec.model_dump_json(by_alias=True)])
    journal = killed / "records.db"
    deadline = time.monotonic() + DEADLINE_S
    while not journal.exists() or sum(step.state == "done" for step in _steps(journal)) < 8:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {step.name for step in _steps(journal) if step.state == "done"}
    resumed = Rig(killed, runner, LATE, open_sqlite(journal)).search(spec)
    uninterrupted = whole.search(spec)
    assert resumed.found.record == uninterrupted.found.record
    assert [_without_cost(row) for row in resumed.found.rows] == [_without_cost(row) for row in uninterrupted.found.rows]
    after = {step.name: step.attempt for step in _steps(journal)}
    assert all(after[name] == 1 for name in done), "what was finished is not done again"


def killed_half_way(folder: Path, spec: str) -> None:
    """Carry a search out until somebody kills this process."""
    from gnomon.resources.model import ModelSpec  # noqa: PLC0415 - in a process of its own

    runner = ProcessRunner(1, WARM_MODULES)
    rig = Rig(folder, runner, LATE, open_sqlite(folder / "records.db"))
    rig.search(ModelSpec.model_validate_json(spec, strict=False))
    time.sleep(DEADLINE_S)


def _steps(journal: Path) -> list[Any]:
    records = open_sqlite(journal)
    steps = list(records.steps("run"))
    records.close()
    return steps


def _without_cost(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "cpuSeconds"}
