"""The object store: content-addressed bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from gnomon.resources.identity import Digest


class ObjectStore(Protocol):
    """Content-addressed bytes. Putting the same content twice is harmless; content is durable once ``put`` returns."""

    def put(self, content: bytes) -> Digest:
        """Keep ``content`` and return its digest."""
        ...

    def put_file(self, path: Path, *, move: bool = False) -> Digest:
        """Keep the content of a file, without reading it whole into memory. ``move`` lets the store take the file itself."""
        ...

    def get(self, digest: Digest) -> bytes:
        """Return the content.

        Raises:
            NotFoundError: Nothing is kept under this digest.
            CorruptBlobError: The kept bytes have another digest.
        """
        ...

    def path(self, digest: Digest) -> Path:
        """Return a local, read-only file with the content, for memory-mapping. Raises NotFoundError; does not hash."""
        ...

    def exists(self, digest: Digest) -> bool:
        """Return whether something is kept under this digest."""
        ...

    def delete(self, digest: Digest) -> None:
        """Forget the content; forgetting what is not kept is harmless."""
        ...

    def digests(self) -> Iterator[Digest]:
        """Yield every kept digest, in no order."""
        ...
