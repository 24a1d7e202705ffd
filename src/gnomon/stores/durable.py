"""Files and folders that are on the disk, whole, once a call returns.

Workers and the gateway read this, so it imports the standard library only.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gnomon.errors import StoreError


@contextmanager
def disk_errors(action: str) -> Iterator[None]:
    """Tell what the disk refused; ``action`` says what was being done, as in "keep results in /srv/objects"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"cannot {action}: {reason}", "see that the disk has room and that this user may write there"
        ) from error


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Make a directory and those above it, durably. The last name is synced even where another process has just made it."""
    if not directory.parent.is_dir():
        make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    sync_directory(directory.parent)


class Drafts:
    """A folder of files that are being written.

    A writer holds a lock on its draft, which dies with it: what can be locked by someone else has no writer any more.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Yield an empty file, ``name`` being its path; what is still in the folder at the end is removed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._locked_file()
        try:
            yield file
        finally:
            file.close()
            Path(file.name).unlink(missing_ok=True)

    def _locked_file(self) -> BinaryIO:
        while True:
            path = self._folder / f"{os.getpid()}-{os.urandom(8).hex()}"
            file = path.open("xb")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()  # a sweep took it for abandoned before the lock was ours

    def sweep(self) -> int:
        """Remove the drafts of dead writers and return how many there were."""
        swept = 0
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue  # its writer has just finished
            with file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                path.unlink(missing_ok=True)
                swept += 1
        return swept


def settle(file: BinaryIO, mode: int) -> None:
    """Make the content of a file durable, and give it its permissions."""
    file.flush()
    os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())


def replace_file(path: Path, content: bytes, drafts: Drafts) -> None:
    """Put ``content`` in the place of a file, atomically and durably. ``drafts`` is on the same filesystem."""
    with drafts.open() as draft:
        draft.write(content)
        settle(draft, 0o644)
        Path(draft.name).rename(path)
    sync_directory(path.parent)
