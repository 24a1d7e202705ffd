import subprocess
import sys
from typing import Any

import pytest

from gnomon.errors import ManifestError
from gnomon.resources.learning import TASKS_BY_ALGORITHM
from gnomon.resources.model import ModelSpec
from gnomon.training.candidates import CandidatePlan, expand
from gnomon.training.parameters import PARAMETERS


def plans(*candidates: dict[str, Any], task: str = "regression") -> tuple[CandidatePlan, ...]:
    declared = {"task": task, "dataset": "d", "target": "t", "candidates": candidates}
    return expand(ModelSpec.model_validate(declared, strict=False))


def test_a_search_makes_one_plan_for_every_combination() -> None:
    made = plans({"algorithm": "lightgbm", "search": {"num_leaves": [15, 63], "learning_rate": [0.05, 0.1]}})
    assert [plan.name for plan in made] == ["lightgbm-1", "lightgbm-2", "lightgbm-3", "lightgbm-4"]
    assert [(plan.params["num_leaves"], plan.params["learning_rate"]) for plan in made] == [
        (15, 0.05),
        (15, 0.1),
        (63, 0.05),
        (63, 0.1),
    ]


def test_a_plan_tells_every_parameter() -> None:
    (plan,) = plans({"algorithm": "random-forest", "params": {"max_depth": 3}})
    assert plan == CandidatePlan(
        "random-forest", "random-forest", {"n_estimators": 100, "max_depth": 3, "min_samples_leaf": 5, "max_features": 0.33}
    )


def test_ranges_are_spaced_evenly_and_hold_their_bounds() -> None:
    logarithmic = plans({"algorithm": "ridge", "search": {"alpha": {"log": [0.001, 1000], "n": 4}}})
    assert [plan.params["alpha"] for plan in logarithmic] == [0.001, 0.1, 10.0, 1000.0]
    linear = plans({"algorithm": "ridge", "search": {"alpha": {"linear": [0, 1], "n": 3}}})
    assert [plan.params["alpha"] for plan in linear] == [0.0, 0.5, 1.0]


def test_a_range_of_integers_names_each_once() -> None:
    made = plans({"algorithm": "lightgbm", "search": {"num_leaves": {"log": [2, 4], "n": 9}}})
    assert [plan.params["num_leaves"] for plan in made] == [2, 3, 4]


RANDOM: dict[str, Any] = {
    "algorithm": "lightgbm",
    "search": {
        "num_leaves": {"log": [4, 255]},
        "learning_rate": {"log": [0.01, 0.3]},
        "subsample": {"linear": [0.5, 1]},
        "objective": ["regression", "huber"],
    },
}


def test_random_draws_lie_in_their_ranges_and_are_the_same_for_the_same_seed() -> None:
    made = plans({**RANDOM, "random": 40})
    assert len(made) == 40
    assert plans({**RANDOM, "random": 40}) == made
    leaves, rates = ([plan.params[name] for plan in made] for name in ("num_leaves", "learning_rate"))
    assert all(isinstance(each, int) and 4 <= each <= 255 for each in leaves)
    assert sum(float(each) < 0.055 for each in rates) in range(10, 31), "half of them lie below the geometric mean"  # type: ignore[arg-type]  # numbers
    assert {plan.params["objective"] for plan in made} == {"regression", "huber"}


def test_more_draws_begin_with_the_same_ones_also_where_a_parameter_is_added() -> None:
    fewer, more = plans({**RANDOM, "random": 5}), plans({**RANDOM, "random": 9})
    assert more[:5] == fewer
    added = plans({**RANDOM, "search": {**RANDOM["search"], "reg_alpha": {"linear": [0, 1]}}, "random": 5})
    assert [plan.params["num_leaves"] for plan in added] == [plan.params["num_leaves"] for plan in fewer]


def test_draws_from_few_combinations_are_each_made_once() -> None:
    made = plans({"algorithm": "ridge", "search": {"alpha": {"linear": [1, 2]}}, "random": 30})
    assert len({plan.params["alpha"] for plan in made}) == 30
    leaves = plans({"algorithm": "lightgbm", "search": {"num_leaves": {"linear": [2, 5]}}, "random": 30})
    assert sorted(int(plan.params["num_leaves"]) for plan in leaves) == [2, 3, 4, 5]  # type: ignore[arg-type]  # whole numbers


def test_unnamed_candidates_of_one_algorithm_are_numbered_through() -> None:
    made = plans({"algorithm": "ridge"}, {"algorithm": "linear"}, {"algorithm": "ridge", "params": {"alpha": 2}})
    assert [plan.name for plan in made] == ["ridge-1", "linear", "ridge-2"]


def test_a_thousand_candidates_are_the_most() -> None:
    most = {"algorithm": "ridge", "search": {"alpha": {"linear": [0, 1], "n": 1000}}}
    assert len(plans(most)) == 1000
    with pytest.raises(ManifestError, match="above 1000 candidates"):
        plans(most, {"algorithm": "linear"})


def test_a_name_is_kept_and_numbered() -> None:
    made = plans({"algorithm": "ridge", "name": "ours", "search": {"alpha": [1, 2]}}, {"algorithm": "ridge", "name": "theirs"})
    assert [plan.name for plan in made] == ["ours-1", "ours-2", "theirs"]


@pytest.mark.parametrize(
    ("candidate", "cause", "mend"),
    [
        ({"algorithm": "lightgbm", "params": {"num_leafs": 3}}, "unknown parameter num_leafs", "did you mean num_leaves"),
        ({"algorithm": "linear", "params": {"alpha": 3}}, "unknown parameter alpha", "takes none"),
        ({"algorithm": "ridge", "params": {"alpha": -1}}, "alpha is -1", "a number from 0"),
        ({"algorithm": "ridge", "params": {"alpha": "1"}}, "alpha is '1'", "a number from 0"),
        ({"algorithm": "ridge", "params": {"alpha": True}}, "alpha is True", "a number from 0"),
        ({"algorithm": "lightgbm", "params": {"num_leaves": 2.5}}, "num_leaves is 2.5", "an integer from 2 to 4096"),
        ({"algorithm": "lightgbm", "params": {"objective": "binary"}}, "objective is 'binary'", "one of regression"),
        ({"algorithm": "lightgbm", "params": {"class_weight": "balanced"}}, "unknown parameter class_weight", "it takes"),
        ({"algorithm": "logistic"}, "logistic cannot learn regression", "use linear, ridge"),
        ({"algorithm": "naive-bayes"}, "naive-bayes cannot learn regression", "the nearest is ridge"),
        ({"algorithm": "svm", "params": {"gamma": "wide"}}, "gamma is 'wide'", "a number above 0 or scale or auto"),
        ({"algorithm": "svm", "params": {"max_rows": 1_000_000}}, "max_rows is 1000000", "an integer from 10 to 20000"),
        ({"algorithm": "ridge", "params": {"alpha": 1}, "search": {"alpha": [2]}}, "in params and in search", "keep one"),
        ({"algorithm": "ridge", "search": {"alpha": []}}, "has no values", "list values"),
        ({"algorithm": "ridge", "search": {"alpha": {"n": 3}}}, "needs either log or linear", "write {log"),
        ({"algorithm": "ridge", "search": {"alpha": {"log": [0, 1]}}}, "not above 0", "use linear"),
        ({"algorithm": "lightgbm", "search": {"objective": {"linear": [0, 1]}}}, "is a range", "one of regression"),
        ({"algorithm": "lightgbm", "search": {"objective": {"log": [1, 2]}}, "random": 3}, "is a range", "one of regression"),
        ({"algorithm": "lightgbm", "search": {"subsample": {"log": [0.1, 9]}}, "random": 9}, "subsample is", "0 to 1"),
        (
            {"algorithm": "lightgbm", "search": {n: {"linear": [0.1, 1], "n": 500} for n in ("learning_rate", "subsample")}},
            "more than 1000 combinations",
            "fewer",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(candidate: dict[str, Any], cause: str, mend: str) -> None:
    with pytest.raises(ManifestError) as refused:
        plans(candidate)
    assert cause in refused.value.cause
    assert mend in refused.value.mend


def test_names_that_meet_are_refused() -> None:
    with pytest.raises(ManifestError, match="two candidates are named ours"):
        plans({"algorithm": "ridge", "name": "ours"}, {"algorithm": "linear", "name": "ours"})
    with pytest.raises(ManifestError, match="come to the name ridge-1"):
        plans({"algorithm": "ridge", "search": {"alpha": [1, 2]}}, {"algorithm": "linear", "name": "ridge-1"})


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_every_default_fits_its_own_rule(algorithm: str) -> None:
    for task in TASKS_BY_ALGORITHM[algorithm]:  # type: ignore[index]  # the keys of both tables are algorithms
        (plan,) = plans({"algorithm": algorithm}, task=task)
        assert plans({"algorithm": algorithm, "params": dict(plan.params)}, task=task)[0].params == plan.params


def test_planning_imports_no_machine_learning() -> None:
    heavy = "{'sklearn', 'lightgbm', 'onnx', 'onnxruntime', 'pandas'}"
    modules = ", ".join(f"gnomon.training.{name}" for name in ("candidates", "dag", "selection", "search.driver"))
    code = f"import sys, {modules}; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_parameter_that_takes_words_takes_numbers_too() -> None:
    (default,) = plans({"algorithm": "svm"})
    assert default.params["gamma"] == "scale"
    searched = plans({"algorithm": "svm", "search": {"gamma": ["auto", 0.5]}})
    assert [plan.params["gamma"] for plan in searched] == ["auto", 0.5]
    ranged = plans({"algorithm": "svm", "search": {"gamma": {"log": [0.01, 1], "n": 3}}})
    assert [plan.params["gamma"] for plan in ranged] == [0.01, 0.1, 1.0]
