"""Bytes named by their SHA-256. Objects and OCI blobs lie on the disk this way.

Workers and the gateway read this, so it imports the standard library only.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from gnomon.errors import CorruptBlobError, NotFoundError, StoreError, UsageError
from gnomon.resources.identity import Digest
from gnomon.stores.digests import digest_of, digest_of_file, hex_of
from gnomon.stores.durable import Drafts, disk_errors, make_directory, settle, sync_directory

_HEX = re.compile(r"[0-9a-f]{64}")
_READ_ONLY = 0o444
_CHUNK_BYTES = 1 << 20


class ContentFolder:
    """A folder of read-only files named by their content.

    Args:
        folder: Where the files lie: ``ab/abcd…`` with ``fan_out``, otherwise ``abcd…``.
        drafts: Where files are while they are written; on the same filesystem.
        fan_out: Whether the first two digits make a folder, for very many files.
    """

    def __init__(self, folder: Path, drafts: Path, *, fan_out: bool) -> None:
        self._folder = folder
        self._drafts = Drafts(drafts)
        self._fan_out = fan_out
        self._made: set[Path] = set()

    def put(self, content: bytes) -> Digest:
        """Keep ``content`` and return its digest. A kept file that has gone bad is replaced."""
        digest = digest_of(content)
        with disk_errors(f"keep {digest} in {self._folder}"):
            place = self._ready_place(digest)
            if not _holds(place, digest):
                with self._drafts.open() as draft:
                    draft.write(content)
                    settle(draft, _READ_ONLY)
                    Path(draft.name).rename(place)
            # Even where the file was there: whoever wrote it may not have come to this line yet.
            sync_directory(place.parent)
        return digest

    def put_file(self, path: Path, *, move: bool = False) -> Digest:
        """Keep the content of a file, streaming; with ``move`` the file is gone afterwards.

        A file is taken as it is only where nobody else can have a hand on it: an own regular file with one name, on this
        filesystem. Anything else is copied.

        Raises:
            NotFoundError: There is no such file.
            UsageError: It is not a regular file.
        """
        with _regular_file(path) as source, disk_errors(f"keep {path} in {self._folder}"):
            self._ready(self._folder)
            digest = self._take(path, source) if move and self._may_take(path, source) else self._copy(source)
            place = self._place(digest)
            sync_directory(place.parent)
            if move and path.parent.resolve() / path.name != place.parent.resolve() / place.name:
                path.unlink(missing_ok=True)
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return the content. Raises NotFoundError, CorruptBlobError."""
        place = self._place(digest)
        try:
            content = place.read_bytes()
        except FileNotFoundError:
            raise self._not_found(digest) from None
        except OSError as error:
            raise StoreError(f"cannot read {place}: {error.strerror}", "see that this user may read it") from error
        actual = digest_of(content)
        if actual != digest:
            raise CorruptBlobError(
                f"{place} holds {len(content)} bytes with digest {actual}, not {digest}",
                "the disk or another program changed it: delete the file and let it be made again, or restore a backup",
            )
        return content

    def path(self, digest: Digest) -> Path:
        """Return the file with the content. Raises NotFoundError."""
        place = self._place(digest)
        if not place.is_file():
            raise self._not_found(digest)
        return place

    def exists(self, digest: Digest) -> bool:
        """Return whether something is kept under this digest."""
        return self._place(digest).is_file()

    def delete(self, digest: Digest) -> None:
        """Forget the content. Not synced: what comes back after a power loss is still the right content."""
        with disk_errors(f"delete {digest} from {self._folder}"):
            self._place(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[Digest]:
        """Yield every kept digest."""
        for path in self._folder.glob("??/*" if self._fan_out else "*"):
            if _HEX.fullmatch(path.name):
                yield Digest("sha256:" + path.name)

    def sweep(self) -> int:
        """Remove what dead processes left half-written and return how many files that were."""
        with disk_errors(f"sweep {self._folder}"):
            return self._drafts.sweep()

    def _place(self, digest: Digest) -> Path:
        name = hex_of(digest)
        return self._folder / name[:2] / name if self._fan_out else self._folder / name

    def _ready_place(self, digest: Digest) -> Path:
        place = self._place(digest)
        self._ready(place.parent)
        return place

    def _ready(self, directory: Path) -> None:
        if directory not in self._made:
            make_directory(directory)
            self._made.add(directory)

    def _may_take(self, path: Path, source: FileIO) -> bool:
        seen = os.fstat(source.fileno())
        return (
            os.path.samestat(seen, path.lstat())  # not a symlink
            and seen.st_nlink == 1
            and seen.st_uid == os.geteuid()
            and seen.st_dev == self._folder.stat().st_dev
        )

    def _take(self, path: Path, source: FileIO) -> Digest:
        os.fchmod(source.fileno(), _READ_ONLY)
        digest = digest_of_file(source)
        place = self._ready_place(digest)
        if not _holds(place, digest):
            os.fsync(source.fileno())
            path.rename(place)
        return digest

    def _copy(self, source: FileIO) -> Digest:
        # What is hashed is what is written, so a source that changes meanwhile cannot land under a wrong name.
        sha256 = hashlib.sha256()
        with self._drafts.open() as draft:
            while chunk := source.read(_CHUNK_BYTES):
                sha256.update(chunk)
                draft.write(chunk)
            digest = Digest("sha256:" + sha256.hexdigest())
            place = self._ready_place(digest)
            if not _holds(place, digest):
                settle(draft, _READ_ONLY)
                Path(draft.name).rename(place)
        return digest

    def _not_found(self, digest: Digest) -> NotFoundError:
        return NotFoundError(f"{digest} is not kept in {self._folder}", "it was deleted, or never put there: make it again")


def _holds(place: Path, digest: Digest) -> bool:
    try:
        with place.open("rb", buffering=0) as file:
            return digest_of_file(file) == digest
    except FileNotFoundError:
        return False


@contextmanager
def _regular_file(path: Path) -> Iterator[FileIO]:
    """Yield a file for reading; a named pipe is refused instead of waited for."""
    try:
        source = FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist", "give the path of a file") from None
    except IsADirectoryError:
        raise _not_regular(path) from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", "see that this user may read it") from error
    with source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise _not_regular(path)
        yield source


def _not_regular(path: Path) -> UsageError:
    return UsageError(f"{path} is not a regular file", "give the path of a file")
