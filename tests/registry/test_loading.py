import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gnomon
from gnomon.errors import GoldenRowsError, InputError, NotFoundError, UsageError
from gnomon.inference.golden import GoldenRows
from gnomon.registry.loading import load, resolve
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import make_artifact, make_classifier

ONE, TWO, TEN = (Digest(f"sha256:{digit * 64}") for digit in "12a")
TAGS = {"arrival-delay:1": ONE, "arrival-delay:2": TWO, "arrival-delay:10": TEN, "pricing/other:3": TWO}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    store = OciLayout(tmp_path / "artifacts")
    for version, weight in ((1, 2.0), (2, 3.0)):
        store.tag(f"m:{version}", make_artifact(store, weight))
    store.tag("c:1", make_classifier(store))
    return tmp_path


def test_a_version_answers_as_its_artifact_does(home: Path) -> None:
    model = gnomon.load("m:1", home)
    answers = model.predict({"x": [1.0, -2.5], "count": [1, None], "not read": ["a", "b"]})
    assert list(answers) == ["prediction"]
    np.testing.assert_array_equal(answers["prediction"], np.array([2.0, -5.0], dtype=np.float32))
    assert [column.name for column in model.signature.inputs] == ["x", "count"]


def test_a_classifier_gives_names_and_probabilities(home: Path) -> None:
    answers = gnomon.load("c", home).predict({"late": [True, False], "at": [None, None], "city": ["Bern", None]})
    assert answers["prediction"].tolist() == ["yes", "no"]
    assert answers["probabilities"].tolist() == pytest.approx(np.array([[0.1, 0.9], [0.8, 0.2]]))


def test_the_newest_version_and_a_digest_are_references_too(home: Path) -> None:
    newest = load("m", home)
    assert newest.predict({"x": [1.0], "count": [1]})["prediction"].tolist() == [3.0]
    assert load(newest.digest, home).digest == newest.digest


def test_many_rows_are_answered_in_order(home: Path) -> None:
    x = np.arange(20_000.0)
    answers = load("m:1", home).predict({"x": x, "count": np.zeros(20_000, dtype=np.int64)})
    np.testing.assert_array_equal(answers["prediction"], (2 * x).astype(np.float32))


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"x": [1.0]}, "'count' is missing"),
        ({}, "are missing"),
        ({"x": [1.0] * 9000, "count": [1] * 8500}, "has 8500 rows"),
        ({"x": [], "count": []}, "no rows"),
        ({"x": ["far"], "count": [1]}, "column 'x'"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(home: Path, columns: dict, cause: str) -> None:
    with pytest.raises(InputError) as caught:
        load("m:1", home).predict(columns)
    assert cause in caught.value.cause


def test_the_home_comes_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNOMON_HOME", str(home))
    assert load("m:2").reference == "m:2"


def test_a_home_without_artifacts_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="keeps no artifacts"):
        load("m:1", tmp_path)


def test_an_unknown_reference_names_the_nearest(home: Path) -> None:
    with pytest.raises(NotFoundError, match="did you mean"):
        load("m:3", home)
    with pytest.raises(NotFoundError):
        load("sha256:" + "0" * 64, home)


@pytest.mark.parametrize("digest", ["sha256:", "sha256:../../etc/passwd"])
def test_a_digest_that_is_none_is_refused(home: Path, digest: str) -> None:
    with pytest.raises((UsageError, NotFoundError)):
        load(digest, home)


def test_a_version_that_this_runtime_does_not_reproduce_is_not_loaded(home: Path) -> None:
    store = OciLayout(home / "artifacts")
    store.tag("bad:1", make_artifact(store, golden=GoldenRows(columns={"x": [1.0], "count": [1]}, prediction=[9.0])))
    with pytest.raises(GoldenRowsError):
        load("bad", home)


def test_versions_are_numbers_not_texts() -> None:
    assert resolve("arrival-delay", TAGS) == TEN
    assert resolve("arrival-delay:2", TAGS) == TWO
    assert resolve("pricing/other", TAGS) == TWO


@pytest.mark.parametrize("reference", ["arrival-delay:3", "arrival", "arrival-delay:", "other"])
def test_no_reference_is_guessed(reference: str) -> None:
    with pytest.raises(NotFoundError):
        resolve(reference, TAGS)


def test_an_empty_reference_is_a_mistake() -> None:
    with pytest.raises(UsageError):
        resolve("", TAGS)
    with pytest.raises(NotFoundError, match="nothing is registered yet"):
        resolve("m", {})


def test_importing_gnomon_stays_light() -> None:
    heavy = ("numpy", "onnxruntime", "sklearn", "polars", "pandas", "pyarrow", "pydantic", "msgspec", "matplotlib")
    code = f"import sys, gnomon; assert gnomon.__version__; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_imports_no_training_library(home: Path) -> None:
    heavy = ("sklearn", "lightgbm", "polars", "pandas", "pyarrow", "pydantic", "onnx", "sqlalchemy", "matplotlib")
    code = (
        f"import sys, gnomon; gnomon.load('m:1', {str(home)!r}).predict({{'x': [1.0], 'count': [1]}});"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_gnomon_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = gnomon.train


def test_an_artifact_runs_without_gnomon_as_the_page_shows(home: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "artifact.md").read_text()
    program = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    for shown, here in (
        ('Path("~/.gnomon").expanduser()', f"Path({str(home)!r})"),
        ('"arrival-delay:7"', '"c:1"'),
        ('{"carrier": "UA", "distance": 1400.0}', '{"late": True, "city": "Bern"}, {"late": False}'),
    ):
        assert shown in program
        program = program.replace(shown, here)
    assert "gnomon" not in program.replace(str(home), "")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "array(['yes', 'no'], dtype=object)" in done.stdout
    assert "[0.8       , 0.2       ]" in done.stdout
