import csv
import hashlib
import io
from pathlib import Path

import pytest
import yaml

import gnomon
from gnomon.cli.sample_data import SAMPLE_FILES

TEMPLATES = Path(gnomon.__file__).parent / "templates"
DIGESTS = {
    "regression": "14fc80df32ca337d6dc1c12efd702a7c8ed911cd7bc33d8a4f681e6cc09eb58e",
    "classification": "87e3dcb46ff8cffc3ce4a0d2ad849a23a301537e6adc9dcebcb43a58e84418b1",
}


@pytest.mark.parametrize("template", SAMPLE_FILES)
def test_the_data_are_the_same_bytes_on_every_machine(template: str) -> None:
    path, write = SAMPLE_FILES[template]
    assert path.startswith("data/")
    assert hashlib.sha256(write().encode()).hexdigest() == DIGESTS[template]


@pytest.mark.parametrize("template", SAMPLE_FILES)
def test_the_data_hold_what_the_template_declares(template: str) -> None:
    path, write = SAMPLE_FILES[template]
    (manifest,) = (TEMPLATES / template / "datasets").iterdir()
    spec = yaml.safe_load(manifest.read_text())["spec"]
    rows = list(csv.DictReader(io.StringIO(write())))
    assert spec["source"]["files"] == path
    assert len(rows) >= 1000
    assert [column["name"] for column in spec["schema"]] == list(rows[0])
    for column in spec["schema"]:
        values = [row[column["name"]] for row in rows]
        present = [value for value in values if value]
        assert column.get("nullable", True) or len(present) == len(values)
        assert set(present) <= set(column.get("values", present))
        assert len(set(present)) == len(present) or not column.get("unique")
        if "min" in column:
            assert min(map(float, present)) >= column["min"]
        if "max" in column:
            assert max(map(float, present)) <= column["max"]
