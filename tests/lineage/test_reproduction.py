"""A version comes out the same again: in another process and folder, on another day; and what does not is named."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gnomon.errors import ConflictError, CorruptBlobError, GnomonError, NotFoundError, UsageError
from gnomon.lineage.kept import Kept, opened
from gnomon.lineage.reproduction import reproduce
from gnomon.operator.home import Home
from gnomon.resources.identity import Revision
from gnomon.stores.records.interface import RunRecord
from tests.operator.rig import Rig


def another_day() -> datetime:
    return datetime(2031, 2, 3, 4, 5, tzinfo=UTC)


def of_model(kept: Kept) -> RunRecord:
    return next(run for run in kept.records.runs() if run.owner.kind == "Model")


@contextmanager
def changed_run(kept: Kept, **changes: object) -> Iterator[None]:
    """Let the records tell something else of the newest run, for a while."""
    run = of_model(kept)
    kept.records.put_run(replace(run, **changes))  # type: ignore[arg-type]  # names of its fields
    try:
        yield
    finally:
        kept.records.put_run(run)


def test_a_version_is_the_same_in_another_process_folder_and_environment_while_the_operator_runs(
    rig: Rig, tmp_path: Path
) -> None:
    surroundings = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHONHASHSEED": "77",
        "LC_ALL": "C",
        "TZ": "Pacific/Auckland",
    }
    arguments = ["delay:1", "--home", str(rig.home.path), "--slots", "1", "--keep", str(tmp_path / "made"), "-o", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "gnomon.cli.main", "reproduce", *arguments],
        cwd=tmp_path,
        env=surroundings,
        umask=0o077,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    run = rig.runs()[0]
    assert found["equal"]
    assert (found["run"], found["artifact"]["remade"]) == (run.id, run.artifact)
    assert {file["name"] for file in found["files"]} == {"config.json", "model.onnx", "golden.json"}
    assert [(step["name"], step["verdict"]) for step in found["steps"]] == [("prepare", "equal"), ("refit-ridge", "equal")]
    assert found["environment"] == []
    assert (tmp_path / "made" / "artifacts" / "index.json").is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("gnomon-")]


def test_the_whole_search_comes_to_the_same_on_another_day(rig: Rig, kept: Kept) -> None:
    newest = of_model(kept).id
    found = reproduce(kept, newest, slots=2, whole=True, clock=another_day, zygote=rig.assembly.zygote)
    assert found.is_equal, found.message
    assert {step.name for step in found.steps} == {"prepare", "fit-ridge", "refit-ridge", "evaluate"}


def test_a_run_of_a_pipeline_is_the_same_again_and_one_of_uncommitted_files_is_refused(rig: Rig, kept: Kept) -> None:
    run = next(run for run in kept.records.runs() if run.owner.kind == "Pipeline")
    found = reproduce(kept, run.id, slots=2, clock=another_day, zygote=rig.assembly.zygote)
    assert found.is_equal, found.message
    assert [step.name for step in found.steps] == ["input:table", "rows", "twice"]
    kept.records.put_run(replace(run, id="another", revision=Revision("working-tree")))
    with pytest.raises(UsageError, match="in no commit"):
        reproduce(kept, "another", slots=1)


def test_another_environment_and_another_result_are_named(rig: Rig, kept: Kept) -> None:
    run = of_model(kept)
    older = {**run.summary["environment"], "python": "3.10.1 (cpython)", "libraries": {"numpy": "1.26.4"}}
    search = json.loads(json.dumps(run.summary["search"]))
    search["order"][0]["params"] = {"alpha": 30.0}
    with changed_run(kept, summary={**run.summary, "environment": older, "search": search}):
        found = reproduce(kept, "delay", slots=2, zygote=rig.assembly.zygote)
    told = found.message
    assert not found.is_equal
    assert "the first step that is, refit-ridge, gives another model" in told
    assert "the parameter candidate" in told
    assert "was 3.10.1 (cpython)" in told
    assert "numpy is " in told
    verdicts = [(step.name, step.verdict) for step in found.steps]
    assert verdicts == [("prepare", "equal"), ("refit-ridge", "differs")]
    assert json.loads(json.dumps(found.to_json()))["equal"] is False


def test_a_model_that_a_broken_commit_held_is_reproduced_as_it_was(rig: Rig, kept: Kept) -> None:
    broken = rig.push(
        {"model.yaml": "apiVersion: gnomon.dev/v1alpha1\nkind: Model\nmetadata: {name: delay}\nspec: {task: 3}\n"}
    )
    with changed_run(kept, revision=broken):
        found = reproduce(kept, "delay:1", slots=2, zygote=rig.assembly.zygote)
    assert found.is_equal, found.message


def test_a_data_file_that_is_not_what_it_was_is_refused(kept: Kept, tmp_path: Path) -> None:
    copied = Home(tmp_path / "home")
    shutil.copytree(kept.home.path, copied.path, ignore=shutil.ignore_patterns("gateway"))
    with opened(copied) as other:
        digest = json.loads(other.objects.get(of_model(other).snapshot))["files"][0]["digest"]
        place = other.objects.path(digest)
        place.chmod(0o644)
        place.write_bytes(place.read_bytes() + b"1,2,3\n")
        with pytest.raises(CorruptBlobError, match="not what the run read"):
            reproduce(other, "delay:1", slots=1)
        place.unlink()
        with pytest.raises(NotFoundError):
            reproduce(other, "delay:1", slots=1)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("delay:2", NotFoundError),
        ("delai:1", NotFoundError),
        ("delay:x", UsageError),
        ("nothing", NotFoundError),
        (":", UsageError),
    ],
)
def test_what_cannot_be_reproduced_is_told_so(kept: Kept, asked: str, error: type[GnomonError]) -> None:
    with pytest.raises(error):
        reproduce(kept, asked, slots=1)


def test_a_run_that_came_to_nothing_and_a_folder_that_is_used_are_refused(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ConflictError, match="not empty"):
        reproduce(kept, "delay:1", slots=1, folder=tmp_path)
    with changed_run(kept, state="failed"), pytest.raises(UsageError, match="ended as failed"):
        reproduce(kept, "delay:1", slots=1)


def test_a_folder_that_is_no_home_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no operator's home"), opened(Home(tmp_path)):
        pass
