from datetime import timedelta
from pathlib import Path

import gnomon
from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile
from gnomon.pipeline.dag import FromStep, FromStore, FunctionRef
from gnomon.resources.dataset import DatasetSpec, Source
from gnomon.resources.identity import Digest
from gnomon.resources.model import Candidate, ModelSpec, Resources
from gnomon.training import steps
from gnomon.training.candidates import CandidatePlan
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
    more = training_steps(spec, DATASET, SNAPSHOT, DIGEST, ROOT, ("b", "c", spec.target))
    assert more[0].params == {**plain[0].params, "carried": ["c"]}
