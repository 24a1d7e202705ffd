import hashlib
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from gnomon.errors import StoreError
from gnomon.operator.checkouts import Checkouts, code_files
from gnomon.stores.repositories.interface import TreeEntry


class Blobs:
    """Contents by blob id, as a mirror has them; counts what is read."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.read = 0

    def entry(self, path: str, content: bytes = b"x = 1\n", mode: str = "100644") -> TreeEntry:
        blob = hashlib.sha1(content).hexdigest()
        self.contents[blob] = content
        return TreeEntry(path, mode, blob, len(content))

    def read_blobs(self, blobs: Sequence[str]) -> dict[str, bytes]:
        self.read += len(blobs)
        return {blob: self.contents[blob] for blob in blobs}

    def export_blob(self, blob: str, destination: Path) -> None:
        destination.write_bytes(self.contents[blob])


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


@pytest.fixture
def checkouts(tmp_path: Path, blobs: Blobs) -> Checkouts:
    return Checkouts(tmp_path / "checkouts", blobs.read_blobs, blobs.export_blob)


def test_only_python_and_what_is_named_is_needed(blobs: Blobs) -> None:
    tree = [
        blobs.entry(path)
        for path in (
            "a.py",
            "data/big.parquet",
            "lib/x.py",
            "lib/x.json",
            "sql/one.sql",
            "sql/deep/two.sql",
            "uv.lock",
            ".git/h.py",
        )
    ]
    assert [entry.path for entry in code_files(tree, [])] == ["a.py", "lib/x.py"]
    assert [entry.path for entry in code_files(tree, ["sql", "./uv.lock"])] == [
        "a.py",
        "lib/x.py",
        "sql/one.sql",
        "sql/deep/two.sql",
        "uv.lock",
    ]
    assert len(code_files(tree, ["."])) == len(tree)


def test_links_and_submodules_are_left_out(blobs: Blobs) -> None:
    tree = [blobs.entry("a.py", mode="120000"), blobs.entry("sub", mode="160000")]
    assert code_files(tree, ["sub"]) == ()


def test_a_checkout_holds_the_files_and_may_not_be_written(checkouts: Checkouts, blobs: Blobs) -> None:
    files = [blobs.entry("pkg/a.py", b"A = 1\n"), blobs.entry("run.sh", b"#!/bin/sh\n", "100755")]
    place = checkouts.of(files)
    assert (place / "pkg" / "a.py").read_bytes() == b"A = 1\n"
    assert stat.S_IMODE((place / "pkg" / "a.py").stat().st_mode) == 0o444
    assert stat.S_IMODE((place / "run.sh").stat().st_mode) == 0o555
    assert stat.S_IMODE((place / "pkg").stat().st_mode) == 0o555


def test_equal_code_shares_a_checkout_that_is_made_once(checkouts: Checkouts, blobs: Blobs) -> None:
    files = [blobs.entry("a.py")]
    place = checkouts.of(files)
    read = blobs.read
    assert checkouts.of(list(files)) == place
    assert blobs.read == read
    assert checkouts.of([blobs.entry("a.py", b"x = 2\n")]) != place
    assert checkouts.of([blobs.entry("a.py", mode="100755")]) != place


def test_what_is_not_needed_is_removed_with_the_drafts_of_the_dead(checkouts: Checkouts, blobs: Blobs) -> None:
    kept, gone = checkouts.of([blobs.entry("a.py")]), checkouts.of([blobs.entry("b.py")])
    draft = checkouts.folder / ".draft-1-abc"
    draft.mkdir()
    checkouts.collect({kept.name})
    assert [each.name for each in checkouts.folder.iterdir()] == [kept.name]
    assert not gone.exists()


def test_a_checkout_that_cannot_be_finished_leaves_nothing(checkouts: Checkouts, blobs: Blobs) -> None:
    # A file where a folder must be: Git would refuse it, a full disk fails in the same way.
    with pytest.raises(StoreError, match="cannot be written"):
        checkouts.of([blobs.entry("a"), blobs.entry("a/b.py")])
    assert list(checkouts.folder.iterdir()) == []
