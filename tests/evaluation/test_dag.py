import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import gnomon
from gnomon.evaluation import dag
from gnomon.evaluation.page import render
from gnomon.evaluation.steps import evaluate
from gnomon.pipeline.dag import FromStore
from gnomon.resources.identity import Digest
from gnomon.resources.model import ModelSpec

SOURCE = Path(gnomon.__file__).parents[1]
ARTIFACT, CHAMPION = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)
PREPARE = {name: FromStore(Digest(f"sha256:{name}"), "json") for name in ("table", "train", "validation", "test", "facts")}


def spec(**declared: object) -> ModelSpec:
    return ModelSpec.model_validate_json(
        ModelSpec.model_validate(
            {"task": "regression", "dataset": "d", "target": "y", "candidates": ({"algorithm": "ridge"},)} | declared
        ).model_dump_json(by_alias=True)
    )


def test_steps_give_their_functions_every_argument() -> None:
    step = dag.evaluate_step(spec(), PREPARE, ARTIFACT, CHAMPION, Path("layout"), Path("src"))
    assert {*step.params, *step.inputs, *step.settings} == set(inspect.signature(evaluate).parameters)
    page = dag.render_step(ARTIFACT, SOURCE)
    assert {*page.params, *page.inputs, *page.settings} == set(inspect.signature(render).parameters)


def test_where_the_store_lies_is_no_part_of_the_key() -> None:
    step = dag.evaluate_step(spec(), PREPARE, ARTIFACT, None, Path("/somewhere"), Path("src"))
    assert step.settings == {"layout": "/somewhere"}
    assert "/somewhere" not in repr((step.params, step.inputs))


def test_moving_a_threshold_measures_nothing_again() -> None:
    steps = [
        dag.evaluate_step(spec(gates=({"metric": "rmse", "max": bound},)), PREPARE, ARTIFACT, None, Path("l"), Path("src"))
        for bound in (45, 50)
    ]
    assert steps[0] == steps[1]


def test_resamples_are_kept_for_gates_that_ask_how_sure() -> None:
    gates = (
        {"metric": "mae", "against": "champion", "confidence": 0.9},
        {"metric": "rmse", "against": "champion"},
        {"metric": "r2", "min": 0.5},
    )
    step = dag.evaluate_step(spec(gates=gates), PREPARE, ARTIFACT, CHAMPION, Path("l"), Path("src"))
    assert step.params["asked"] == {
        "target": "y",
        "metric": "rmse",
        "compare": ["mae"],
        "compareBaseline": [],
        "slices": {},
        "seed": 7,
    }


def test_slices_are_measured_in_the_metrics_that_gates_ask_for() -> None:
    gates = ({"metric": "rmse", "by": "origin", "maxRatio": 1.25}, {"metric": "mae", "by": "origin", "max": 3})
    steps = [
        dag.evaluate_step(spec(gates=some), PREPARE, ARTIFACT, None, Path("l"), Path("src"))
        for some in (gates, ({**gates[0], "maxRatio": 1.5, "minRows": 5}, gates[1]))
    ]
    assert steps[0].params["asked"]["slices"] == {"origin": ["mae", "rmse"]}
    assert steps[0] == steps[1]


def test_planning_imports_nothing_heavy() -> None:
    code = (
        "import sys, gnomon.evaluation.dag, gnomon.evaluation.gates, gnomon.evaluation.report;"
        "print([m for m in ('numpy', 'sklearn', 'matplotlib', 'pyarrow', 'onnxruntime', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("changed", [dag.TEMPLATE, dag.STYLE])
def test_a_changed_template_or_style_makes_pages_anew(tmp_path: Path, changed: str) -> None:
    for name in (dag.TEMPLATE, dag.STYLE):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("one")
    first = dag.render_step(ARTIFACT, tmp_path)
    (tmp_path / changed).write_text("two")
    assert dag.render_step(ARTIFACT, tmp_path).params != first.params
