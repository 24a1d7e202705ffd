from pathlib import Path

import pytest
import yaml

from gnomon.cli.infer import infer
from gnomon.errors import DataError, NotFoundError, UsageError
from gnomon.resources.dataset import Column
from tests.data.tables import package_file, written

MANIFEST = """\
apiVersion: gnomon.dev/v1alpha1
kind: Dataset
metadata: {name: rides, namespace: NAMESPACE}
spec:
  source: {files: data/*.csv}
"""
ROWS = "at,level,count\n2013-01-01T00:00:00Z,low,1\n2013-01-02T00:00:00Z,high,\n2013-01-03T00:00:00Z,low,3\n"


def repository(folder: Path, *namespaces: str) -> Path:
    manifests = {f"{namespace}.yaml": MANIFEST.replace("NAMESPACE", namespace) for namespace in namespaces}
    return written(folder, {"gnomon.yaml": "", "data/1.csv": ROWS, "data/2.csv": ROWS, **manifests})


def test_a_declared_dataset_is_proposed_a_schema_from_the_files_in_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    infer("rides", repository(tmp_path / "odd [name]", "default"))
    assert capsys.readouterr().out == (
        "# Proposed from 6 rows of 2 files; bounds leave room.\n"
        "schema:\n"
        "  - {name: at, type: timestamp, nullable: false}\n"
        "  - {name: level, type: string, nullable: false, values: [high, low]}\n"
        "  - {name: count, type: int64, min: 0, max: 4}\n"
    )


def test_the_proposal_is_a_schema_that_can_be_declared(capsys: pytest.CaptureFixture[str]) -> None:
    infer(str(package_file("palmerpenguins", "data/penguins.csv")), Path())
    told = capsys.readouterr()
    columns = [Column.model_validate(column, strict=False) for column in yaml.safe_load(told.out)["schema"]]
    assert [column.name for column in columns][:3] == ["species", "island", "bill_length_mm"]
    assert columns[0].values == ("Adelie", "Chinstrap", "Gentoo")
    assert "column sex holds a text such as NA" in told.err


def test_a_namespace_tells_datasets_of_one_name_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository(tmp_path, "default", "pricing")
    with pytest.raises(UsageError, match="write one of default/rides, pricing/rides"):
        infer("rides", tmp_path)
    infer("pricing/rides", tmp_path)
    assert "schema:" in capsys.readouterr().out


def test_what_cannot_be_found_is_told_with_what_may_be_meant(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"did you mean rides\?"):
        infer("ride", repository(tmp_path / "one", "default"))
    with pytest.raises(NotFoundError, match="declare one, or name a data file"):
        infer("rides", repository(tmp_path / "none"))
    with pytest.raises(UsageError, match="does not exist"):
        infer("rides", tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"did you mean .*[12]\.csv"):
        infer(str(tmp_path / "one/data/3.csv"), Path())
    broken = written(tmp_path / "broken", {"d.yaml": MANIFEST.replace("NAMESPACE", "default").replace("files:", "file:")})
    with pytest.raises(NotFoundError, match="gnomon validate"):
        infer("rides", broken)
