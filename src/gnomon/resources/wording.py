"""How problems name what they are about: places in a document, values that were found, names that were meant."""

from collections.abc import Iterable
from difflib import get_close_matches

from gnomon.resources.documents import NodePath

_LONGEST_QUOTE = 40


def dotted(path: NodePath) -> str:
    """Return a place as people write it, such as ``spec.gates[0].max``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "the document"


def found(value: object) -> str:
    """Return what a value is, in a few words that fit into a sentence."""
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _LONGEST_QUOTE else f'"{value[:_LONGEST_QUOTE]}…"'
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    word = "mapping" if isinstance(value, dict) else "list"
    return f"a {word}" if value else f"an empty {word}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was probably meant to be, whatever its case and its separators."""
    by_letters = {_letters(name): name for name in known}
    close = get_close_matches(_letters(word), by_letters, n=1, cutoff=0.6)
    return by_letters[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str], *, what: str) -> str:
    """Return a mend: the nearest known word, or all of them; ``what`` names the list, such as ``kinds``."""
    names = list(known)
    near = nearest(word, names)
    if near is not None:
        return f'did you mean "{near}"?'
    return f"the {what} are {', '.join(names)}" if names else f"there are no {what} here"


def _letters(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
