"""Print the digest of the artifact of each algorithm and task, as JSON: in any process, folder and day it is the same."""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gnomon.data.intake import take_in
from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import Signature
from gnomon.operator.training_run import PACKAGE_ROOT
from gnomon.registry.pack import pack
from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import ResourceKey
from gnomon.resources.model import Model
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.training import steps
from gnomon.training.candidates import expand
from gnomon.training.dag import training_steps
from tests.lineage.tables import PAIRS, files, model_name


def digests(folder: Path) -> dict[str, str]:
    """Return name of the model -> digest of its artifact, made in a folder by the functions that steps call."""
    declared = files()
    for path, content in declared.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    manifests = [ManifestFile(path, path, text.encode()) for path, text in declared.items() if path.endswith(".yaml")]
    resources = {key: each.resource for key, each in compile_tree(manifests).declared.items()}
    objects, artifacts = DiskObjectStore(folder / "objects"), OciLayout(folder / "artifacts")
    prepared: dict[str, Mapping[str, Any]] = {}
    found: dict[str, str] = {}
    for algorithm, task in PAIRS:
        name = model_name(algorithm, task)
        model = resources[ResourceKey("Model", "default", name)]
        assert isinstance(model, Model)
        if task not in prepared:
            dataset = resources[ResourceKey("Dataset", "default", model.spec.dataset)]
            assert isinstance(dataset, Dataset)
            prepared[task] = _prepared(model, dataset, folder, objects)
        plan = expand(model.spec)[0].to_json()
        made = steps.refit(**prepared[task], candidate=plan)
        config = ArtifactConfig(model=f"default/{name}", signature=msgspec.convert(made["signature"], Signature))
        found[name] = pack(artifacts, config, made["model"], msgspec.convert(made["golden"], GoldenRows))
    return found


def _prepared(model: Model, dataset: Dataset, folder: Path, objects: DiskObjectStore) -> Mapping[str, Any]:
    here = dataset.spec.source.model_copy(update={"files": str(folder / str(dataset.spec.source.files))})
    on_machine = dataset.model_copy(update={"spec": dataset.spec.model_copy(update={"source": here})})
    taken = take_in(on_machine, (), objects, lambda _blob, _path: None, {})
    step = training_steps(model.spec, dataset.spec, taken.snapshot, taken.digest, PACKAGE_ROOT)[0]
    paths = [objects.path(file.digest) for file in taken.snapshot.files]
    return steps.prepare(**step.params, snapshot=taken.snapshot.to_json(), files=paths)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(json.dumps(digests(Path(place))))
