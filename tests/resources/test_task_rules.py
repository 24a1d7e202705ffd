"""What must fit the task of a model: its target, its metrics, its keys, and the columns of its dataset."""

import pytest

from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.parse import parse_file

HEAD = "apiVersion: gnomon.dev/v1alpha1\n"
CLUSTERS = "task: clustering, dataset: d, candidates: [{algorithm: k-means}]"
ODD = "task: anomaly, dataset: d, candidates: [{algorithm: isolation-forest}]"
AHEAD = "task: forecasting, dataset: d, target: t, candidates: [{algorithm: ridge}]"
RIDGE = "task: regression, dataset: d, target: t, candidates: [{algorithm: ridge}]"


def told(spec: str) -> list[tuple[str, str]]:
    """Return cause and mend of everything that is wrong with a model."""
    (document,) = parse_file(f"{HEAD}kind: Model\nmetadata: {{name: a}}\nspec: {{{spec}}}\n".encode()).documents
    return [(finding.cause, finding.mend) for finding in document.findings]


@pytest.mark.parametrize(
    ("good", "bad", "cause", "mend"),
    [
        (RIDGE, RIDGE.replace(", target: t", ""), "regression predicts a column, and spec.target names none", "add target"),
        (AHEAD, AHEAD.replace(", target: t", ""), "forecasting predicts a column", "add target"),
        (CLUSTERS, f"{CLUSTERS}, target: t", 'clustering learns without a target, and spec.target names "t"', "remove target"),
        (f"{ODD}, target: t", f"{CLUSTERS}, target: t", "clustering learns without a target", "remove target"),
        (CLUSTERS, CLUSTERS.replace("k-means", "ridge"), "ridge does not do clustering", "k-means"),
        (RIDGE, RIDGE.replace("ridge", "pca"), "pca does not do regression", "lightgbm"),
        (f"{CLUSTERS}, metric: silhouette", f"{CLUSTERS}, metric: rmse", "rmse does not measure clustering", "silhouette"),
        (
            f"{CLUSTERS}, gates: [{{metric: size, max: 1MiB}}]",
            f"{CLUSTERS}, gates: [{{metric: accuracy, min: 0.5}}]",
            "accuracy does not measure clustering",
            "daviesBouldin",
        ),
        (f"{ODD}, target: t, metric: rocAuc", f"{ODD}, metric: rocAuc", "rocAuc needs to know which rows", "shareError"),
        (f"{ODD}, contamination: 50%", f"{ODD}, contamination: 51%", "most rows must be normal", "at most 50%"),
        (f"{ODD}, contamination: 1%", f"{ODD}, contamination: 0%", "most rows must be normal", "more than 0%"),
        (ODD, f"{CLUSTERS}, contamination: 1%", "spec.contamination belongs to anomaly", "remove contamination"),
        (f"{AHEAD}, horizon: 3", f"{RIDGE}, horizon: 3", "spec.horizon belongs to forecasting", "task: forecasting"),
        (f"{AHEAD}, horizon: 1d", f"{AHEAD}, horizon: 0s", "spec.horizon is no time at all", "24"),
        (f"{AHEAD}, season: 7", f"{RIDGE}, season: 7", "spec.season belongs to forecasting", "remove season"),
        (f"{AHEAD}, series: [s]", f"{RIDGE}, series: [s]", "spec.series belongs to forecasting", "remove series"),
        (f"{AHEAD}, series: [s]", f"{AHEAD}, series: [t]", 'the target "t" cannot tell series apart', "name the column"),
        (f"{AHEAD}, series: [s, r]", f"{AHEAD}, series: [s, s]", 'there are two series columns called "s"', "keep one"),
        (
            f"{AHEAD}, split: {{by: time}}",
            f"{AHEAD}, split: {{by: random}}",
            "a forecast must be judged on later",
            "write time",
        ),
        (CLUSTERS, f"{CLUSTERS}, split: {{by: stratified}}", "clustering has no classes to stratify by", "random"),
    ],
)
def test_what_does_not_fit_a_task_is_told_with_the_mend(good: str, bad: str, cause: str, mend: str) -> None:
    assert told(good) == []
    assert any(cause in said and mend in how for said, how in told(bad)), told(bad)


SCHEMA = "schema: [{name: at, type: date}, {name: t, type: float64}, {name: s, type: string}, {name: odd, type: boolean}]"


def problems(model: str, dataset: str) -> list[str]:
    """Return what is wrong with a model beside a dataset."""
    text = f"{HEAD}kind: Dataset\nmetadata: {{name: d}}\nspec: {{source: {{files: a.csv}}, {dataset}}}\n"
    text += f"---\n{HEAD}kind: Model\nmetadata: {{name: a}}\nspec: {{{model}}}\n"
    return [str(problem) for problem in compile_tree([ManifestFile("all.yaml", text, text.encode())]).problems]


@pytest.mark.parametrize(
    ("model", "dataset", "cause"),
    [
        (AHEAD, f"{SCHEMA}, time: at", None),
        (AHEAD, SCHEMA, "forecasting needs to know when rows happened, and the Dataset d declares no time column"),
        (AHEAD.replace("target: t", "target: s"), f"{SCHEMA}, time: at", 'the target "s" is of type string, and forecasting'),
        (f"{AHEAD}, series: [shop]", f"{SCHEMA}, time: at", 'the schema of d has no column "shop"'),
        (f"{ODD}, target: odd", SCHEMA, None),
        (f"{ODD}, target: t", SCHEMA, 'the target "t" is of type float64, and labels of anomalies are booleans'),
        (CLUSTERS, SCHEMA, None),
        (f"{CLUSTERS}, features: [x]", SCHEMA, 'the dataset has no column and no feature "x"'),
    ],
)
def test_a_task_fits_its_dataset(model: str, dataset: str, cause: str | None) -> None:
    found = problems(model, dataset)
    assert found == [] if cause is None else any(cause in said for said in found), found
