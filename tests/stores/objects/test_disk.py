import multiprocessing
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import gnomon
from gnomon.errors import CorruptBlobError, StoreError
from gnomon.stores.objects.disk import DiskObjectStore

WRITER_THAT_HANGS = """
import signal, sys
from pathlib import Path
from gnomon.stores.durable import Drafts

with Drafts(Path(sys.argv[1])).open() as draft:
    draft.write(b"half")
    draft.flush()
    print("writing", flush=True)
    signal.pause()
"""


@pytest.fixture
def store(tmp_path: Path) -> DiskObjectStore:
    return DiskObjectStore(tmp_path / "objects")


def test_an_object_lies_at_its_digest(store: DiskObjectStore, tmp_path: Path) -> None:
    digest = store.put(b"hello")
    assert store.path(digest) == tmp_path / "objects" / "sha256" / "2c" / digest.removeprefix("sha256:")
    assert list((tmp_path / "objects" / "tmp").iterdir()) == []


def test_a_store_outlives_its_object(store: DiskObjectStore, tmp_path: Path) -> None:
    digest = store.put(b"hello")
    assert DiskObjectStore(tmp_path / "objects").get(digest) == b"hello"


@pytest.mark.parametrize("content", [b"hellO", b"hell", b""])
def test_a_changed_file_is_found_out_and_mended_by_putting_it_again(store: DiskObjectStore, content: bytes) -> None:
    digest = store.put(b"hello")
    path = store.path(digest)
    path.chmod(0o644)
    path.write_bytes(content)

    with pytest.raises(CorruptBlobError) as caught:
        store.get(digest)
    assert digest in caught.value.cause
    assert str(path) in caught.value.cause
    store.put(b"hello")
    assert store.get(digest) == b"hello"


def test_moving_a_file_keeps_the_very_same_file(store: DiskObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.write_bytes(b"hello")
    inode = source.stat().st_ino
    assert store.path(store.put_file(source, move=True)).stat().st_ino == inode


def test_a_file_on_another_filesystem_is_moved_too(store: DiskObjectStore, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second filesystem")
    source = elsewhere / f"gnomon-test-{os.getpid()}"
    source.write_bytes(b"hello")
    assert store.get(store.put_file(source, move=True)) == b"hello"
    assert not source.exists()


@pytest.mark.parametrize("move", [False, True])
def test_a_large_file_is_never_whole_in_memory(store: DiskObjectStore, tmp_path: Path, *, move: bool) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    store.put_file(source, move=move)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def _put_many(root: Path) -> None:
    store = DiskObjectStore(root)
    for number in range(40):
        store.put(b"%d" % number)


def test_processes_put_the_same_objects_at_the_same_time(store: DiskObjectStore, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_put_many, args=(tmp_path / "objects",)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(store.get(digest) for digest in store.digests()) == sorted(b"%d" % number for number in range(40))
    assert store.sweep() == 0


def test_a_sweep_takes_the_drafts_of_the_dead_and_leaves_those_of_the_living(store: DiskObjectStore, tmp_path: Path) -> None:
    drafts = tmp_path / "objects" / "tmp"
    command = [sys.executable, "-c", WRITER_THAT_HANGS, str(drafts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            assert store.sweep() == 0
            assert len(list(drafts.iterdir())) == 1
        finally:
            writer.send_signal(signal.SIGKILL)
    assert len(list(drafts.iterdir())) == 1
    assert store.sweep() == 1
    assert list(drafts.iterdir()) == []


def test_a_failed_write_leaves_no_draft(store: DiskObjectStore, tmp_path: Path) -> None:
    digest = store.put(b"hello")
    store.delete(digest)
    (tmp_path / "objects" / "sha256" / "2c").rmdir()
    (tmp_path / "objects" / "sha256" / "2c").write_bytes(b"in the way")

    with pytest.raises(StoreError, match=digest):
        store.put(b"hello")
    assert list((tmp_path / "objects" / "tmp").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot keep") as caught:
        DiskObjectStore(tmp_path / "file" / "objects").put(b"hello")
    assert caught.value.mend


def test_other_files_in_the_folder_are_no_objects(store: DiskObjectStore) -> None:
    digest = store.put(b"hello")
    (store.path(digest).parent / "README").write_bytes(b"")
    assert list(store.digests()) == [digest]


def test_importing_the_store_costs_the_standard_library_only() -> None:
    # -S leaves out site-packages, so that an import from there fails.
    source = Path(gnomon.__file__).parent.parent
    command = [sys.executable, "-S", "-c", "import gnomon.stores.objects.disk, gnomon.stores.objects.memory"]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(source)})
