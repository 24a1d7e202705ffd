from datetime import timedelta
from pathlib import Path

import pytest

import gnomon
from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile
from gnomon.errors import UsageError
from gnomon.pipeline.dag import FromStep, FromStore, FunctionRef
from gnomon.resources.dataset import DatasetSpec, Source
from gnomon.resources.identity import Digest
from gnomon.resources.model import Candidate, ModelSpec, Resources
from gnomon.training import steps, user_steps
from gnomon.training.candidates import CandidatePlan, expand
from gnomon.training.dag import PREPARED_ITEMS, refit_step, training_steps

ROOT = Path(gnomon.__file__).parent.parent
DIGEST = Digest("sha256:" + "0" * 64)
SNAPSHOT = Snapshot(
    (SnapshotColumn("x", "float64", nullable=True), SnapshotColumn("y", "float64", nullable=True)),
    tuple(SnapshotFile(Digest(f"sha256:{n}"), "parquet", 1, 1) for n in "ab"),
    2,
)
DATASET = DatasetSpec(source=Source(files="*.parquet"), time="at")
SPEC = ModelSpec(
    task="regression",
    dataset="d",
    target="y",
    candidates=(Candidate(algorithm="ridge", search={"alpha": (1.0, 2.0)}), Candidate(algorithm="linear")),
    resources=Resources(memory=2**30, timeout=timedelta(minutes=5)),
)


def test_one_step_prepares_and_one_fits_each_candidate() -> None:
    made = training_steps(SPEC, DATASET, SNAPSHOT, DIGEST, ROOT)
    assert [step.name for step in made] == ["prepare", "fit-ridge-1", "fit-ridge-2", "fit-linear"]
    assert made[0].inputs == {
        "snapshot": FromStore(DIGEST, "bytes"),
        "files": (FromStore(Digest("sha256:a"), "path"), FromStore(Digest("sha256:b"), "path")),
    }
    assert made[0].params["time"] == "at"
    assert made[2].params == {"candidate": {"algorithm": "ridge", "params": {"alpha": 2.0}}}
    assert made[2].settings == {"name": "ridge-2"}
    assert {step.memory_bytes for step in made} == {2**30}
    assert {step.timeout for step in made} == {timedelta(minutes=5)}


def test_fits_never_get_the_test_rows_and_the_refit_does() -> None:
    made = training_steps(SPEC, DATASET, SNAPSHOT, DIGEST, ROOT)
    assert made[1].inputs.keys() == {"table", "train", "validation", "facts"}
    assert made[1].inputs["table"] == FromStep("prepare", "table")
    kept = {item: FromStore(DIGEST, codec) for item, codec in PREPARED_ITEMS.items()}
    refit = refit_step(SPEC, CandidatePlan("linear", "linear", {}), kept, ROOT)
    assert refit.name == "refit-linear"
    assert refit.inputs == kept


def test_every_step_names_a_function_that_takes_its_arguments() -> None:
    made = training_steps(SPEC, DATASET, SNAPSHOT, DIGEST, ROOT)
    kept = {item: FromStore(DIGEST, codec) for item, codec in PREPARED_ITEMS.items()}
    for step in (*made, refit_step(SPEC, CandidatePlan("linear", "linear", {}), kept, ROOT)):
        assert isinstance(step.work, FunctionRef)
        assert (step.work.root / step.work.file).samefile(steps.__file__)
        function = getattr(steps, step.work.name)
        code, optional = function.__code__, set(function.__kwdefaults__ or {})
        taken = set(code.co_varnames[: code.co_kwonlyargcount])
        assert taken - optional <= {*step.params, *step.inputs} <= taken


def test_columns_that_only_the_champion_reads_are_carried_along() -> None:
    spec = SPEC.model_copy(update={"features": ("a", "b")})
    plain = training_steps(spec, DATASET, SNAPSHOT, DIGEST, ROOT)
    same = training_steps(spec, DATASET, SNAPSHOT, DIGEST, ROOT, ("b", "a"))
    assert same == plain
    more = training_steps(spec, DATASET, SNAPSHOT, DIGEST, ROOT, ("b", "c", str(spec.target)))
    assert more[0].params == {**plain[0].params, "carried": ["c"]}


def test_a_function_of_the_repository_is_keyed_by_what_it_is_and_not_by_where_it_lies(tmp_path: Path) -> None:
    candidate = Candidate.model_validate({"name": "ours", "python": "train.py:fit", "params": {"alpha": 2.0}})
    spec = SPEC.model_copy(update={"candidates": (candidate,), "resources": Resources(gpu=1)})
    codes = ("X = 1\ndef fit(X, y): return X", "X = 1\ndef fit(X, y): return X  # so", "def fit(X, y): 0")
    prepare, fits = None, []
    for number, text in enumerate(codes):
        checkout = tmp_path / str(number)
        checkout.mkdir()
        (checkout / "train.py").write_text(text)
        prepare, fit = training_steps(spec, DATASET, SNAPSHOT, DIGEST, ROOT, checkout=checkout)
        fits.append(fit)
    assert fits[0].params == fits[1].params != fits[2].params
    assert fits[0].settings != fits[1].settings
    assert prepare is not None
    assert (fits[0].gpu, prepare.gpu) == (1, 0)


def test_the_steps_of_a_function_are_given_what_they_take(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def fit(X, y): 0")
    spec = SPEC.model_copy(update={"candidates": (Candidate.model_validate({"python": "train.py:fit"}),)})
    _, fit = training_steps(spec, DATASET, SNAPSHOT, DIGEST, ROOT, checkout=tmp_path)
    refit = refit_step(spec, expand(spec)[0], {item: FromStep("prepare", item) for item in PREPARED_ITEMS}, ROOT, tmp_path)
    assert refit.params == fit.params
    for step, function in ((fit, user_steps.fit_user), (refit, user_steps.refit_user)):
        assert isinstance(step.work, FunctionRef)
        assert step.work.name == function.__name__
        code = function.__code__
        assert {*step.params, *step.settings, *step.inputs} == set(code.co_varnames[: code.co_kwonlyargcount])


def test_a_function_without_a_repository_is_told() -> None:
    spec = SPEC.model_copy(update={"candidates": (Candidate.model_validate({"python": "train.py:fit"}),)})
    with pytest.raises(UsageError, match="train-fit is a function of a repository"):
        training_steps(spec, DATASET, SNAPSHOT, DIGEST, ROOT)
