"""Names that artifacts may be tagged with."""

import re

from gnomon.errors import UsageError

# The OCI layout's grammar for reference names, with runs of separators allowed: a resource may be named "a---b".
_TAG = re.compile(r"[A-Za-z0-9]+(?:[-._:@+/]+[A-Za-z0-9]+)*")
_LONGEST = 255


def checked_tag(name: str) -> str:
    """Return ``name``.

    Raises:
        UsageError: It cannot be a tag.
    """
    if len(name) > _LONGEST or _TAG.fullmatch(name) is None:
        raise UsageError(
            f"{name!r:.100} cannot be a tag",
            f"use letters, digits and - . _ : @ + / between them, at most {_LONGEST} characters",
        )
    return name
