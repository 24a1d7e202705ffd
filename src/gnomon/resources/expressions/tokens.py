"""The characters of an expression become tokens, each with its place."""

import re
from dataclasses import dataclass

from gnomon.errors import ManifestError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<quoted>`[^`]+`)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<sign><=|>=|==|!=|[-+*/<>()\[\]{},:=])""",
    re.VERBOSE,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false", "missing"})
_MISTAKEN = {
    "=": "compare with ==",
    "&": "write and",
    "|": "write or",
    "!": "write not",
    "%": "there is no remainder: use floor",
}


class ExpressionError(ManifestError):
    """A feature's text is not an expression, or its parts do not fit; the cause names the place."""


def mistake(at: int, cause: str, mend: str) -> ExpressionError:
    """Return the error of a place, ``at`` counted from 0."""
    return ExpressionError(f"{cause} at character {at + 1}", mend)


@dataclass(frozen=True)
class Token:
    """A piece of the text: ``number``, ``name``, ``quoted`` name, ``text``, ``sign``, ``keyword``, or the ``end``."""

    kind: str
    text: str
    at: int


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text, the end last.

    Raises:
        ExpressionError: A character belongs to no token.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            character = text[at]
            if character in "\"'`":
                raise mistake(at, f"a text or name that begins with {character} does not end", f"close it with {character}")
            mend = _MISTAKEN.get(character, 'quote texts with " and odd column names with `')
            raise mistake(at, f"there is a {character!r}", mend)
        kind = match.lastgroup or ""
        if kind == "name" and match.group() in _KEYWORDS:
            kind = "keyword"
        if kind != "space":
            tokens.append(Token(kind, match.group(), at))
        at = match.end()
    return [*tokens, Token("end", "", len(text))]
