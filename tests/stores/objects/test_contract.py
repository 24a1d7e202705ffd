import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.errors import NotFoundError, UsageError
from gnomon.resources.identity import Digest
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.objects.memory import MemoryObjectStore

HELLO = Digest("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
ABSENT = Digest("sha256:" + "0" * 64)
NOT_DIGESTS = ["", "sha256:", "sha256:abc", "sha256:" + "A" * 64, "sha512:" + "0" * 64, "sha256:../../etc/passwd", f"{HELLO}\n"]


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return MemoryObjectStore() if request.param == "memory" else DiskObjectStore(tmp_path / "objects")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_what_is_put_comes_back(store: ObjectStore, content: bytes) -> None:
    digest = store.put(content)

    assert store.get(digest) == content
    assert store.path(digest).read_bytes() == content
    assert store.exists(digest)
    assert digest in set(store.digests())
    assert store.put(content) == digest


def test_content_is_named_by_its_sha256(store: ObjectStore) -> None:
    assert store.put(b"hello") == HELLO
    assert list(store.digests()) == [HELLO]


def test_what_is_not_there_is_not_found(store: ObjectStore) -> None:
    assert not store.exists(ABSENT)
    assert list(store.digests()) == []
    with pytest.raises(NotFoundError, match=ABSENT):
        store.get(ABSENT)
    with pytest.raises(NotFoundError, match=ABSENT):
        store.path(ABSENT)


def test_a_deleted_object_is_gone_and_deleting_it_again_is_harmless(store: ObjectStore) -> None:
    store.put(b"hello")
    store.delete(HELLO)
    store.delete(HELLO)

    assert not store.exists(HELLO)
    assert list(store.digests()) == []
    with pytest.raises(NotFoundError):
        store.get(HELLO)


@pytest.mark.parametrize("text", NOT_DIGESTS)
def test_what_is_not_a_digest_is_refused(store: ObjectStore, text: str) -> None:
    calls: list[Callable[[Digest], object]] = [store.get, store.path, store.exists, store.delete]
    for call in calls:
        with pytest.raises(UsageError, match="is not a digest"):
            call(Digest(text))


def test_a_file_that_is_put_stays_where_it_is(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.write_bytes(b"hello")

    assert store.put_file(source) == HELLO
    source.write_bytes(b"something else")
    assert store.get(HELLO) == b"hello"


def test_a_file_that_is_moved_is_gone(store: ObjectStore, tmp_path: Path) -> None:
    for _ in range(2):
        source = tmp_path / "data"
        source.write_bytes(b"hello")
        assert store.put_file(source, move=True) == HELLO
        assert not source.exists()
    assert store.get(HELLO) == b"hello"


def test_moving_a_symlink_takes_the_content_and_leaves_the_target(store: ObjectStore, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"hello")
    link.symlink_to(target)

    assert store.put_file(link, move=True) == HELLO
    assert not link.is_symlink()
    target.write_bytes(b"changed")
    assert store.get(HELLO) == b"hello"
    assert not store.path(HELLO).is_symlink()


def test_moving_a_file_with_a_second_name_copies_it(store: ObjectStore, tmp_path: Path) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    source.write_bytes(b"hello")
    other.hardlink_to(source)

    store.put_file(source, move=True)
    other.write_bytes(b"changed")
    assert store.get(HELLO) == b"hello"


def test_a_kept_file_can_be_put_again_without_losing_it(store: ObjectStore) -> None:
    store.put(b"hello")
    assert store.put_file(store.path(HELLO), move=True) == HELLO
    assert store.get(HELLO) == b"hello"
    assert store.path(HELLO).read_bytes() == b"hello"


def test_what_is_not_a_regular_file_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        store.put_file(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        store.put_file(tmp_path)
    with pytest.raises(NotFoundError, match="nothing"):
        store.put_file(tmp_path / "nothing")


def test_the_file_of_an_object_is_read_only(store: ObjectStore) -> None:
    assert store.path(store.put(b"hello")).stat().st_mode & 0o777 == 0o444
