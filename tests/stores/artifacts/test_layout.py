import json
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gnomon
from gnomon.errors import CorruptBlobError, StoreError
from gnomon.stores.artifacts.interface import Layer
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.stores.digests import digest_of

TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = Layer("application/vnd.cncf.model.config.v1+json", "config.json", b"{}")
WEIGHTS = Layer("application/vnd.cncf.model.weight.v1.raw", "model.onnx", b"\x08\x01")
REF_NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def store(root: Path) -> OciLayout:
    return OciLayout(root)


def _index(root: Path) -> dict:
    index: dict = json.loads((root / "index.json").read_bytes())
    return index


def test_the_folder_is_an_oci_image_layout(store: OciLayout, root: Path) -> None:
    digest = store.push(TYPE, CONFIG, [WEIGHTS])
    size = len(store.blob(digest))
    store.tag("arrival-delay:7", digest)

    assert json.loads((root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert _index(root) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "artifactType": TYPE,
                "digest": digest,
                "size": size,
                "annotations": {REF_NAME: "arrival-delay:7"},
            }
        ],
    }
    assert {path.name for path in (root / "blobs" / "sha256").iterdir()} == {
        digest_of(content).removeprefix("sha256:") for content in (b"{}", b"\x08\x01", store.blob(digest))
    }


def test_an_artifact_without_a_tag_stays_in_the_index_once(store: OciLayout, root: Path) -> None:
    first = store.push(TYPE, CONFIG, [WEIGHTS])
    second = store.push(TYPE, CONFIG, [])
    store.push(TYPE, CONFIG, [WEIGHTS])
    assert [entry["digest"] for entry in _index(root)["manifests"]] == [first, second]
    store.tag("latest", first)
    store.tag("latest", second)
    assert [(entry["digest"], entry.get("annotations")) for entry in _index(root)["manifests"]] == [
        (first, None),
        (second, {REF_NAME: "latest"}),
    ]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
@pytest.mark.parametrize("tag", ["arrival-delay:7", "pricing/arrival-delay:7", "latest"])
def test_skopeo_reads_the_layout(store: OciLayout, root: Path, tmp_path: Path, tag: str) -> None:
    digest = store.push(TYPE, CONFIG, [WEIGHTS], {"dev.gnomon.model": "arrival-delay"})
    store.push(TYPE, CONFIG, [])
    store.tag(tag, digest)

    raw = subprocess.run(["skopeo", "inspect", "--raw", f"oci:{root}:{tag}"], check=True, capture_output=True).stdout
    assert digest_of(raw) == digest
    copy = tmp_path / "copy"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{root}:{tag}", f"oci:{copy}:{tag}"], check=True, capture_output=True)
    assert OciLayout(copy).tags() == {tag: digest}
    assert OciLayout(copy).manifest(digest) == store.manifest(digest)
    assert OciLayout(copy).blob(digest_of(WEIGHTS.content)) == WEIGHTS.content


def test_what_other_programs_write_into_the_index_is_kept(store: OciLayout, root: Path) -> None:
    store.push(TYPE, CONFIG, [WEIGHTS])
    index = _index(root)
    foreign = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": "sha256:" + "1" * 64,
        "size": 3,
        "annotations": {REF_NAME: "theirs", "who": "them"},
    }
    (root / "index.json").write_text(json.dumps({**index, "manifests": [foreign], "annotations": {"a": "b"}}))

    store.tag("theirs", store.push(TYPE, CONFIG, []))
    assert _index(root)["annotations"] == {"a": "b"}
    assert {**foreign, "annotations": {"who": "them"}} in _index(root)["manifests"]


@pytest.mark.parametrize("content", [b"other", b"{", b""])
def test_a_changed_blob_is_found_out(store: OciLayout, content: bytes) -> None:
    digest = store.push(TYPE, CONFIG, [WEIGHTS])
    path = store.blob_path(digest)
    path.chmod(0o644)
    path.write_bytes(content)
    for read in (store.manifest, store.blob):
        with pytest.raises(CorruptBlobError) as caught:
            read(digest)
        assert digest in caught.value.cause
        assert str(path) in caught.value.cause


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"manifests":[{}]}', b'{"manifests":[{"digest":"sha256:../x"}]}', b'{"manifests":[3]}'],
)
def test_a_broken_index_is_told_and_left_alone(store: OciLayout, root: Path, content: bytes) -> None:
    digest = store.push(TYPE, CONFIG, [WEIGHTS])
    (root / "index.json").write_bytes(content)

    with pytest.raises(StoreError, match="is not an OCI image index"):
        store.tags()
    with pytest.raises(StoreError, match="is not an OCI image index"):
        store.tag("a:1", digest)
    assert (root / "index.json").read_bytes() == content


def _push_and_tag(root: Path, writer: int) -> None:
    store = OciLayout(root)
    for number in range(10):
        digest = store.push(TYPE, CONFIG, [Layer("x", "x", b"%d/%d" % (writer, number))])
        store.tag(f"model-{writer}:{number}", digest)


def test_processes_that_push_at_the_same_time_lose_no_entry(store: OciLayout, root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_push_and_tag, args=(root, writer)) for writer in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    tags = store.tags()
    assert set(tags) == {f"model-{writer}:{number}" for writer in range(3) for number in range(10)}
    assert store.blob(store.manifest(tags["model-2:9"]).layers[0].digest) == b"2/9"
    assert store.sweep() == 0


def test_reading_makes_nothing(store: OciLayout, root: Path) -> None:
    assert store.tags() == {}
    assert not root.exists()


def test_importing_the_store_costs_the_standard_library_only() -> None:
    # -S leaves out site-packages, so that an import from there fails.
    source = Path(gnomon.__file__).parent.parent
    command = [sys.executable, "-S", "-c", "import gnomon.stores.artifacts.layout, gnomon.stores.artifacts.memory"]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(source)})
