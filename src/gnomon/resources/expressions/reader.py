"""An expression becomes a tree of names, constants and calls, each with its place in the text.

The language is small and closed: it has no loops, no definitions, and no way out of the row but the batch functions. A
text is read once, from left to right, by one function for each level of precedence.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from gnomon.resources.expressions.functions import FUNCTIONS, Function
from gnomon.resources.expressions.tokens import ExpressionError, Token, mistake, tokens_of
from gnomon.resources.wording import nearest

MAX_CHARACTERS = 4000
MAX_DEPTH = 40
"""Calls and brackets within each other."""
MAX_CALLS = 200
"""Operators and functions of one expression."""
MAX_LISTED = 1000
"""Values of a list, and pairs of a map."""

_COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}


@dataclass(frozen=True)
class Constant:
    """A number, a truth value, a text, or None for ``missing``."""

    value: float | bool | str | None
    at: int


@dataclass(frozen=True)
class Name:
    """A column or another feature."""

    name: str
    at: int


@dataclass(frozen=True)
class Listed:
    """Constants in brackets."""

    items: tuple[Constant, ...]
    at: int


@dataclass(frozen=True)
class Pairs:
    """Constants with what they stand for, in braces."""

    items: tuple[tuple[Constant, Constant], ...]
    at: int


@dataclass(frozen=True)
class Call:
    """A function, or an operator under its sign, with its arguments; ``by`` are the columns that part the rows."""

    function: str
    arguments: tuple["Tree", ...]
    at: int
    by: tuple[Name, ...] = ()


Tree = Constant | Name | Listed | Pairs | Call


@lru_cache(maxsize=4096)
def parse(text: str) -> Tree:
    """Return the tree of an expression.

    Raises:
        ExpressionError: It is none; the cause names the place, counted in characters from 1.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            f"the expression has {len(text):,} characters",
            f"keep to {MAX_CHARACTERS:,}: name parts of it as features of their own",
        )
    return _Reader(text).whole()


class _Reader:
    """Reads the tokens of one text; each method leaves them behind what it returns."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)
        self._place = 0
        self._depth = 0
        self._calls = 0

    def whole(self) -> Tree:
        if self._next.kind == "end":
            raise mistake(0, "the expression is empty: something is missing", "write one, such as distance / air_time")
        tree = self._either()
        if self._next.kind != "end":
            raise self._unexpected("an operator")
        return tree

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += 1
        return token

    def _is(self, *texts: str) -> bool:
        return self._next.kind in {"sign", "keyword"} and self._next.text in texts

    def _require(self, sign: str) -> Token:
        if not self._is(sign):
            raise self._unexpected(f'"{sign}"')
        return self._take()

    def _unexpected(self, wanted: str) -> ExpressionError:
        token = self._next
        if token.text == "=":
            return mistake(token.at, "there is a single =", "compare with ==")
        if token.kind == "end":
            return mistake(token.at, f"the expression ends where {wanted} is missing", "complete it")
        return mistake(
            token.at, f"there is {token.text[:40]} where {wanted} is missing", "see docs/features.md for what can be written"
        )

    def _either(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise mistake(
                self._next.at, f"more than {MAX_DEPTH} levels lie within each other", "name parts as features of their own"
            )
        left = self._both()
        while self._is("or"):
            at = self._take().at
            left = self._made("or", (left, self._both()), at)
        self._depth -= 1
        return left

    def _both(self) -> Tree:
        left = self._negated()
        while self._is("and"):
            at = self._take().at
            left = self._made("and", (left, self._negated()), at)
        return left

    def _negated(self) -> Tree:
        signs = []
        while self._is("not"):
            signs.append(self._take().at)
            self._bounded(signs)
        tree = self._comparison()
        for at in reversed(signs):
            tree = self._made("not", (tree,), at)
        return tree

    def _made(self, function: str, arguments: tuple[Tree, ...], at: int, by: tuple[Name, ...] = ()) -> Call:
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise mistake(at, f"there are more than {MAX_CALLS} operators and functions", "name parts as features of their own")
        return Call(function, arguments, at, by)

    def _bounded(self, signs: list[int]) -> None:
        if len(signs) > MAX_DEPTH:
            raise mistake(signs[-1], f"more than {MAX_DEPTH} signs follow each other", "leave out pairs of them")

    def _comparison(self) -> Tree:
        left = self._sum()
        if self._is(*_COMPARISONS):
            token = self._take()
            left = self._made(token.text, (left, self._sum()), token.at)
        elif self._is("in"):
            token = self._take()
            if not self._is("["):
                raise self._unexpected("a list such as [1, 2]")
            left = self._made("in", (left, self._list()), token.at)
        if self._is(*_COMPARISONS, "in"):
            raise mistake(self._next.at, "a comparison follows a comparison", "join the two with and: a < b and b < c")
        return left

    def _sum(self) -> Tree:
        left = self._product()
        while self._is("+", "-"):
            token = self._take()
            left = self._made(token.text, (left, self._product()), token.at)
        return left

    def _product(self) -> Tree:
        left = self._signed()
        while self._is("*", "/"):
            token = self._take()
            left = self._made(token.text, (left, self._signed()), token.at)
        return left

    def _signed(self) -> Tree:
        signs = []
        while self._is("-"):
            signs.append(self._take().at)
            self._bounded(signs)
        tree = self._value()
        for at in reversed(signs):
            known = isinstance(tree, Constant) and isinstance(tree.value, float)
            tree = Constant(-tree.value, at) if known else self._made("negative", (tree,), at)  # type: ignore[union-attr,operator] # known tells
        return tree

    def _value(self) -> Tree:
        token = self._next
        if token.kind in {"number", "text"} or self._is("true", "false", "missing"):
            return self._constant()
        if token.kind in {"name", "quoted"}:
            self._take()
            if token.kind == "name" and self._is("("):
                return self._call(token)
            return Name(token.text.strip("`"), token.at)
        if self._is("("):
            self._take()
            tree = self._either()
            self._require(")")
            return tree
        raise self._unexpected("a value")

    def _constant(self) -> Constant:
        negative = self._is("-")
        if negative:
            self._take()
        token = self._next
        if token.kind == "number":
            self._take()
            value = float(token.text)
            if not math.isfinite(value):
                raise mistake(token.at, f"{token.text} is too large for a number", "write a smaller one")
            return Constant(-value if negative else value, token.at)
        if negative or not (token.kind == "text" or self._is("true", "false", "missing")):
            raise self._unexpected("a number" if negative else "a constant: a number, a quoted text, true, false or missing")
        self._take()
        match token.text:
            case "true" | "false":
                return Constant(token.text == "true", token.at)
            case "missing":
                return Constant(None, token.at)
            case quoted:
                return Constant(_unquoted(quoted, token.at), token.at)

    def _call(self, name: Token) -> Tree:
        known = FUNCTIONS.get(name.text)
        if known is None:
            near = nearest(name.text, FUNCTIONS)
            mend = f"did you mean {near}?" if near else f"the functions are {', '.join(FUNCTIONS)}"
            raise mistake(name.at, f"there is no function {name.text}", mend)
        self._require("(")
        arguments: list[Tree] = []
        by: tuple[Name, ...] = ()
        while not self._is(")"):
            if arguments:
                self._require(",")
            if self._next.text == "by" and self._tokens[self._place + 1].text == "=":
                by = self._parting(known, name)
                break
            arguments.append(self._argument())
        self._require(")")
        if not known.least <= len(arguments) <= known.most:
            more = ", …" if known.most > len(known.parameters) else ""
            raise mistake(
                name.at,
                f"{name.text} is given {len(arguments)} value{'s' if len(arguments) != 1 else ''}",
                f"it is called as {name.text}({', '.join(known.parameters)}{more})",
            )
        return self._made(name.text, tuple(arguments), name.at, by)

    def _argument(self) -> Tree:
        if self._is("["):
            return self._list()
        return self._pairs() if self._is("{") else self._either()

    def _parting(self, known: Function, name: Token) -> tuple[Name, ...]:
        """Read ``by = column`` or ``by = [column, column]``."""
        at = self._take().at
        self._take()
        if not known.batch:
            raise mistake(at, f"{name.text} takes no by", "only lag and the rolling functions part rows by columns")
        many = self._is("[")
        if many:
            self._take()
        names = [self._column()]
        while many and self._is(","):
            self._take()
            names.append(self._column())
        if many:
            self._require("]")
        return tuple(names)

    def _column(self) -> Name:
        if self._next.kind not in {"name", "quoted"}:
            raise self._unexpected("a column")
        token = self._take()
        return Name(token.text.strip("`"), token.at)

    def _list(self) -> Listed:
        at = self._require("[").at
        items: list[Constant] = []
        while not self._is("]"):
            if items:
                self._require(",")
            items.append(self._constant())
            self._listed(items)
        self._require("]")
        return Listed(tuple(items), at)

    def _pairs(self) -> Pairs:
        at = self._require("{").at
        items: list[tuple[Constant, Constant]] = []
        while not self._is("}"):
            if items:
                self._require(",")
            key = self._constant()
            self._require(":")
            items.append((key, self._constant()))
            self._listed(items)
        self._require("}")
        return Pairs(tuple(items), at)

    def _listed(self, items: list[Constant] | list[tuple[Constant, Constant]]) -> None:
        if len(items) > MAX_LISTED:
            raise mistake(self._next.at, f"there are more than {MAX_LISTED:,} values", "write fewer")


def _unquoted(quoted: str, at: int) -> str:
    def meant(match: re.Match[str]) -> str:
        letter = match.group(1)
        if letter not in _ESCAPES:
            raise mistake(
                at, f"the text holds \\{letter}", "write \\\\ for a backslash, \\n, \\t, or a quote after a backslash"
            )
        return _ESCAPES[letter]

    value = re.sub(r"\\(.)", meant, quoted[1:-1], flags=re.DOTALL)
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise mistake(at, "the text holds a character that no text may hold", "leave it out")
    return value
