"""Digests of content, and what is one."""

import hashlib
import re
from io import FileIO

from gnomon.errors import UsageError
from gnomon.resources.identity import Digest

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def digest_of(content: bytes) -> Digest:
    """Return the digest that names ``content``."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def digest_of_file(file: FileIO) -> Digest:
    """Return the digest of what is left to read of a file, streaming."""
    return Digest("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())


def hex_of(digest: Digest) -> str:
    """Return the 64 hexadecimal digits of a digest, which are safe as a file name.

    Raises:
        UsageError: This is not a digest.
    """
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise UsageError(f"{digest!r:.100} is not a digest", "give sha256: and 64 lowercase hexadecimal digits")
    return match[1]
