import pytest

from gnomon.errors import ArtifactError, GoldenRowsError, NotFoundError
from gnomon.inference.artifact import ARTIFACT_TYPE, CONFIG_MEDIA_TYPE, ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.loading import load_artifact
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.interface import Layer
from gnomon.stores.artifacts.memory import MemoryArtifactStore
from tests.artifacts import REGRESSION, keep, make_artifact, make_classifier


def test_an_artifact_is_loaded_with_its_configuration() -> None:
    store = MemoryArtifactStore()
    digest = make_artifact(store, 2.5, model="m")
    loaded = load_artifact(store, digest)
    assert (loaded.digest, loaded.config.model, loaded.config.signature) == (digest, "m", REGRESSION)
    assert load_artifact(store, make_classifier(store)).config.signature.task == "classification"


def test_equal_artifacts_have_equal_digests() -> None:
    store = MemoryArtifactStore()
    assert make_artifact(store, 2.5) == make_artifact(store, 2.5) != make_artifact(store, 2.0)


def test_golden_rows_that_differ_stop_the_loading() -> None:
    store = MemoryArtifactStore()
    wrong = GoldenRows({"x": [1.0], "count": [1]}, [99.0])
    with pytest.raises(GoldenRowsError, match="instead of 99"):
        load_artifact(store, make_artifact(store, 1.0, golden=wrong))


def test_what_is_no_artifact_is_refused() -> None:
    store = MemoryArtifactStore()
    with pytest.raises(NotFoundError):
        load_artifact(store, Digest("sha256:" + "0" * 64))
    config = Layer(CONFIG_MEDIA_TYPE, "config.json", b"{}")
    with pytest.raises(ArtifactError, match="of type 'application/x-other'"):
        load_artifact(store, store.push("application/x-other", config, []))
    with pytest.raises(ArtifactError, match="configuration of artifact"):
        load_artifact(store, store.push(ARTIFACT_TYPE, config, []))


def test_a_missing_file_is_named() -> None:
    store = MemoryArtifactStore()
    whole = store.manifest(make_artifact(store))
    config = Layer(CONFIG_MEDIA_TYPE, "config.json", store.blob(whole.config.digest))
    with pytest.raises(ArtifactError, match=r"has no file golden\.json"):
        load_artifact(store, store.push(ARTIFACT_TYPE, config, []))


def test_a_model_that_is_none_is_refused() -> None:
    store = MemoryArtifactStore()
    config = load_artifact(store, make_artifact(store)).config
    assert isinstance(config, ArtifactConfig)
    with pytest.raises(ArtifactError, match="cannot load the model"):
        load_artifact(store, keep(store, b"no model", config, GoldenRows({"x": [1.0], "count": [1]}, [1.0])))
