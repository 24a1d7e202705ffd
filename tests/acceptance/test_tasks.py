"""A task without a target through the whole loop: clusters, from rows in Git to numbers over HTTP."""

import numpy as np
import polars as pl
from sklearn import datasets

import gnomon
from tests.acceptance.live import Live, as_json, manifests

GATES = "  gates: [{metric: silhouette, min: 0.4}, {metric: silhouette, against: champion, maxRatio: 2}]\n"


def test_clusters_are_served_by_number(live: Live) -> None:
    flowers = pl.DataFrame(np.round(datasets.load_iris().data, 2), schema=["a", "b", "c", "d"])
    files = manifests(
        "kinds", files="data/*.csv", task="clustering", target="", candidates="[{algorithm: k-means, params: {n_clusters: 3}}]"
    )
    files["models/kinds.yaml"] = files["models/kinds.yaml"].replace("  target: \n", "") + GATES
    live.up()
    live.push_files("Declare kinds", {**files, "data/flowers.csv": flowers.write_csv().encode()})
    live.until(lambda: live.version("kinds") == 1, "v1")

    columns = {name: flowers[name].to_list() for name in flowers.columns}
    reply = live.infer("kinds", columns).json()
    prediction, distances = reply["outputs"]
    assert (prediction["datatype"], distances["shape"]) == ("INT64", [150, 3])
    alone = gnomon.load("kinds:1", home=live.home).predict(flowers)
    assert alone["prediction"].tolist() == prediction["data"]
    assert np.array_equal(alone["distances"].ravel(), np.asarray(distances["data"], np.float32))
    told = as_json(live.run_cli("predict", "kinds", "--data", '{"a": 5, "b": 3.4, "c": 1.5, "d": 0.2}', "-o", "json").stdout)
    assert told["outputs"][0]["data"] == [prediction["data"][0]]
