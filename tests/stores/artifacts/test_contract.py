import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.errors import ArtifactError, NotFoundError, UsageError
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.interface import MANIFEST_MEDIA_TYPE, TITLE_ANNOTATION, ArtifactStore, Layer
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.stores.artifacts.memory import MemoryArtifactStore
from gnomon.stores.digests import digest_of

TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = Layer("application/vnd.cncf.model.config.v1+json", "config.json", b"{}")
WEIGHTS = Layer("application/vnd.cncf.model.weight.v1.raw", "model.onnx", b"\x08\x01")
SCHEMA = Layer("application/json", "signature.json", b"[]")
ABSENT = Digest("sha256:" + "0" * 64)
GOLDEN = Digest("sha256:a511149ff6ad8089399bee7aa79c466e9d638c8d5b93f3d9da34a3e2e6f17ee2")

contents = st.binary(max_size=100)


@pytest.fixture(params=["memory", "layout"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return MemoryArtifactStore() if request.param == "memory" else OciLayout(tmp_path / "artifacts")


def test_an_artifact_comes_back_as_it_was_pushed(store: ArtifactStore) -> None:
    digest = store.push(TYPE, CONFIG, [WEIGHTS, SCHEMA], {"dev.gnomon.model": "arrival-delay"})
    manifest = store.manifest(digest)

    assert manifest.artifact_type == TYPE
    assert manifest.annotations == {"dev.gnomon.model": "arrival-delay"}
    assert [layer.title for layer in manifest.layers] == ["model.onnx", "signature.json"]
    for descriptor, layer in zip((manifest.config, *manifest.layers), (CONFIG, WEIGHTS, SCHEMA), strict=True):
        assert descriptor.media_type == layer.media_type
        assert descriptor.size == len(layer.content)
        assert descriptor.annotations == {TITLE_ANNOTATION: layer.title}
        assert store.blob(descriptor.digest) == layer.content
        assert store.blob_path(descriptor.digest).read_bytes() == layer.content
    assert manifest.layer("signature.json") == manifest.layers[1]


def test_the_bytes_of_a_manifest_are_canonical(store: ArtifactStore) -> None:
    digest = store.push(TYPE, CONFIG, [WEIGHTS], {"b": "ü", "a": "1"})
    content = store.blob(digest)
    document = json.loads(content)

    assert content == json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert digest == digest_of(content)
    assert document["schemaVersion"] == 2
    assert document["mediaType"] == MANIFEST_MEDIA_TYPE
    assert document["artifactType"] == TYPE


def test_the_digest_of_an_artifact_never_changes_between_versions_of_this_program(store: ArtifactStore) -> None:
    assert store.push(TYPE, CONFIG, [WEIGHTS, SCHEMA], {"dev.gnomon.model": "arrival-delay"}) == GOLDEN


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(contents, contents, st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_equal_artifacts_have_equal_digests_everywhere(
    store: ArtifactStore, config: bytes, weights: bytes, annotations: dict[str, str]
) -> None:
    parts = (TYPE, Layer("c", "config.json", config), [Layer("w", "model.onnx", weights)], annotations)
    twin = MemoryArtifactStore()
    assert store.push(*parts) == twin.push(*parts)
    digest = store.push(TYPE, parts[1], parts[2], dict(reversed(annotations.items())))
    assert store.manifest(digest) == twin.manifest(digest)


def test_tags_point_to_artifacts_and_can_be_moved(store: ArtifactStore) -> None:
    first = store.push(TYPE, CONFIG, [WEIGHTS])
    second = store.push(TYPE, CONFIG, [SCHEMA])
    assert store.tags() == {}
    store.tag("arrival-delay:1", first)
    store.tag("pricing/arrival-delay:1", first)
    store.tag("latest", first)
    store.tag("latest", first)
    store.tag("latest", second)
    store.push(TYPE, CONFIG, [WEIGHTS])
    assert store.tags() == {"arrival-delay:1": first, "pricing/arrival-delay:1": first, "latest": second}


def test_only_a_kept_manifest_can_be_tagged(store: ArtifactStore) -> None:
    digest = store.push(TYPE, CONFIG, [WEIGHTS])
    with pytest.raises(NotFoundError, match=ABSENT):
        store.tag("a:1", ABSENT)
    with pytest.raises(ArtifactError, match="not an OCI image manifest"):
        store.tag("a:1", store.manifest(digest).config.digest)
    assert store.tags() == {}


@pytest.mark.parametrize("name", ["", ":", "a:", "-a", "a b", "a\n", "../a", "ü", "a" * 256])
def test_what_cannot_be_a_tag_is_refused(store: ArtifactStore, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a tag"):
        store.tag(name, store.push(TYPE, CONFIG, [WEIGHTS]))


@pytest.mark.parametrize("title", ["", ".", "..", "../model.onnx", "/etc/passwd", "a//b", "a/../b", "./a", "config.json"])
def test_titles_that_are_no_good_file_names_are_refused(store: ArtifactStore, title: str) -> None:
    with pytest.raises(UsageError, match="title"):
        store.push(TYPE, CONFIG, [Layer("application/json", title, b"")])
    assert store.tags() == {}


def test_what_is_not_there_is_not_found(store: ArtifactStore) -> None:
    for _ in range(2):
        with pytest.raises(NotFoundError, match=ABSENT):
            store.manifest(ABSENT)
        with pytest.raises(NotFoundError, match=ABSENT):
            store.blob(ABSENT)
        with pytest.raises(NotFoundError, match=ABSENT):
            store.blob_path(ABSENT)
        with pytest.raises(UsageError, match="is not a digest"):
            store.blob(Digest("sha256:../x"))
        assert store.tags() == {}
        store.push(TYPE, CONFIG, [WEIGHTS])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
        b'{"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"sha256:../x","mediaType":"a","size":1}}',
        b"[" * 100_000,
    ],
)
def test_a_blob_that_is_no_manifest_is_refused(store: ArtifactStore, content: bytes) -> None:
    digest = store.manifest(store.push(TYPE, CONFIG, [Layer("x", "x", content)])).layers[0].digest
    with pytest.raises(ArtifactError, match=digest):
        store.manifest(digest)


def test_text_that_is_not_unicode_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(UsageError, match="not Unicode"):
        store.push(TYPE, CONFIG, [WEIGHTS], {"author": "\udce4"})
