"""Bytes named by their SHA-256 in a dictionary, for tests."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

from gnomon.errors import NotFoundError
from gnomon.resources.identity import Digest
from gnomon.stores.content import ContentFolder
from gnomon.stores.digests import digest_of, hex_of


class ContentMemory:
    """The twin of the folder. Asked for a path, it writes a file that goes away with it."""

    def __init__(self) -> None:
        self._contents: dict[Digest, bytes] = {}
        self._files: ContentFolder | None = None

    def put(self, content: bytes) -> Digest:
        """Keep ``content`` and return its digest."""
        digest = digest_of(content)
        self._contents[digest] = content
        return digest

    def put_file(self, path: Path, *, move: bool = False) -> Digest:
        """Keep the content of a file; with ``move`` the file is gone afterwards."""
        files = self._open_files()
        digest = files.put_file(path, move=move)
        self._contents[digest] = files.get(digest)
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return the content. Raises NotFoundError."""
        hex_of(digest)
        try:
            return self._contents[digest]
        except KeyError:
            raise NotFoundError(f"{digest} is not kept in memory", "put it there first") from None

    def path(self, digest: Digest) -> Path:
        """Return a read-only file with the content. Raises NotFoundError."""
        files = self._open_files()
        return files.path(files.put(self.get(digest)))

    def exists(self, digest: Digest) -> bool:
        """Return whether something is kept under this digest."""
        hex_of(digest)
        return digest in self._contents

    def delete(self, digest: Digest) -> None:
        """Forget the content."""
        hex_of(digest)
        self._contents.pop(digest, None)

    def digests(self) -> Iterator[Digest]:
        """Yield every kept digest."""
        yield from tuple(self._contents)

    def _open_files(self) -> ContentFolder:
        if self._files is None:
            folder = Path(tempfile.mkdtemp(prefix="gnomon-content-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._files = ContentFolder(folder / "sha256", folder / "tmp", fan_out=False)
        return self._files
