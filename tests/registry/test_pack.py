from typing import Any

import msgspec
import pytest

from gnomon.errors import ArtifactError
from gnomon.inference.artifact import (
    ARTIFACT_TYPE,
    CONFIG_MEDIA_TYPE,
    DOC_MEDIA_TYPE,
    GOLDEN_FILE,
    MODEL_FILE,
    WEIGHT_MEDIA_TYPE,
    ArtifactConfig,
)
from gnomon.inference.golden import GoldenRows
from gnomon.inference.loading import load_artifact
from gnomon.registry.pack import pack
from gnomon.stores.artifacts.memory import MemoryArtifactStore
from tests.artifacts import CLASSIFICATION, REGRESSION, classification_model, regression_model

GOLDEN = GoldenRows(columns={"x": [1.0, -2.0], "count": [1, None]}, prediction=[2.0, -4.0])


def config(model: str = "pricing/m") -> ArtifactConfig:
    return ArtifactConfig(model, REGRESSION)


def test_what_is_packed_can_be_loaded_as_serving_does() -> None:
    store = MemoryArtifactStore()
    digest = pack(store, config(), regression_model(2.0), GOLDEN)
    loaded = load_artifact(store, digest)
    assert loaded.config == config()
    assert loaded.golden == GOLDEN


def test_an_artifact_has_the_documented_files_and_media_types() -> None:
    store = MemoryArtifactStore()
    manifest = store.manifest(pack(store, config(), regression_model(2.0), GOLDEN))
    assert manifest.artifact_type == ARTIFACT_TYPE
    assert (manifest.config.title, manifest.config.media_type) == ("config.json", CONFIG_MEDIA_TYPE)
    assert [(layer.title, layer.media_type) for layer in manifest.layers] == [
        (MODEL_FILE, WEIGHT_MEDIA_TYPE),
        (GOLDEN_FILE, DOC_MEDIA_TYPE),
    ]
    assert store.blob(manifest.layers[0].digest) == regression_model(2.0)


def test_equal_inputs_give_an_equal_digest_in_whatever_order_they_come() -> None:
    columns = dict(reversed(GOLDEN.columns.items()))
    first = pack(MemoryArtifactStore(), config(), regression_model(2.0), GOLDEN)
    again = pack(MemoryArtifactStore(), config(), regression_model(2.0), msgspec.structs.replace(GOLDEN, columns=columns))
    assert first == again


def test_another_model_configuration_or_golden_row_gives_another_digest() -> None:
    store = MemoryArtifactStore()
    digests = {
        pack(store, config(), regression_model(2.0), GOLDEN),
        pack(store, config(), regression_model(3.0), GOLDEN),
        pack(store, config("pricing/other"), regression_model(2.0), GOLDEN),
        pack(store, config(), regression_model(2.0), msgspec.structs.replace(GOLDEN, atol=1e-6)),
    }
    assert len(digests) == 4


def test_nothing_is_kept_of_a_model_that_is_refused() -> None:
    class Untouched(MemoryArtifactStore):
        def push(self, *_: Any, **__: Any) -> Any:
            pytest.fail("something was kept")

    with pytest.raises(ArtifactError):
        pack(Untouched(), config(), b"no model", GOLDEN)


@pytest.mark.parametrize(
    ("golden", "cause"),
    [
        (GoldenRows(columns={"x": [], "count": []}, prediction=[]), "has no golden rows"),
        (GoldenRows(columns={"x": [1.0]}, prediction=[2.0]), "hold ['x'], the model reads ['count', 'x']"),
    ],
)
def test_an_artifact_that_would_replay_nothing_is_refused(golden: GoldenRows, cause: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        pack(MemoryArtifactStore(), config(), regression_model(2.0), golden)
    assert cause in caught.value.cause


def test_golden_rows_of_a_classifier_hold_probabilities() -> None:
    made = msgspec.structs.replace(config(), signature=CLASSIFICATION)
    golden = GoldenRows(columns={"late": [True], "at": [None], "city": ["Bern"]}, prediction=["yes"])
    with pytest.raises(ArtifactError, match="no probabilities"):
        pack(MemoryArtifactStore(), made, classification_model(), golden)
