"""Names that people mistyped."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a given one, if any is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - takes 10 ms, and only errors need it

    return next(iter(get_close_matches(name, list(known), n=1)), None)
