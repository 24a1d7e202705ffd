"""What a feature is computed by: few kinds of typed nodes, the same for every way to compute it.

Values are of four types. In each but ``truth`` a value may be missing:

==========  =============================================================  =======================
type        value                                                          columns of type
==========  =============================================================  =======================
``number``  float64, computed from the float32 that a request carries      floats and integers
``truth``   true or false, never missing                                   boolean: is it true?
``time``    microseconds of the UTC epoch, within the years 1 to 9999      timestamp and date
``text``    text that is not empty                                         string
==========  =============================================================  =======================
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gnomon.resources.dataset import ColumnType
from gnomon.resources.expressions.functions import FUNCTIONS
from gnomon.resources.expressions.tokens import ExpressionError

ValueType = Literal["number", "truth", "time", "text"]
Part = Literal["year", "month", "day", "weekday", "dayofyear", "hour", "minute"]
PARTS: tuple[Part, ...] = get_args(Part)

VALUE_TYPES: Mapping[ColumnType, ValueType] = {
    "float64": "number",
    "float32": "number",
    "int64": "number",
    "int32": "number",
    "boolean": "truth",
    "string": "text",
    "timestamp": "time",
    "date": "time",
}
MAX_SIZE = 2000
"""Operations of one feature, with those of the features that it names."""
MAX_LEVELS = 200

Scalar = float | bool | str | int | None


@dataclass(frozen=True)
class Node:
    """One value of each row.

    ``op`` is one of ``constant``, ``column`` - ``value`` is its name -, ``add subtract multiply divide abs floor sqrt
    log1p`` on numbers, ``less at_most equal`` on two values of a type, ``and or not``, ``missing``, ``choose``
    (condition, then, otherwise), ``part`` - ``value`` is which -, ``elapsed`` - ``value`` is the unit in microseconds -,
    ``number`` of a truth value, ``bucket`` - ``value`` are the edges -, ``map`` - ``value`` are the pairs -, ``concat``,
    or a batch function, whose ``value`` is the number of rows and the columns that part the rows.
    """

    op: str
    type: ValueType
    arguments: tuple["Node", ...] = ()
    value: Any = None
    size: int = 1
    levels: int = 1

    @property
    def is_batch(self) -> bool:
        """Whether it needs other rows than its own."""
        return any(node.op in FUNCTIONS and FUNCTIONS[node.op].batch for node in self.walk())

    def columns(self) -> tuple[str, ...]:
        """Return the columns that it reads, each once, in the order of the text."""
        found: dict[str, None] = {}
        for node in self.walk():
            if node.op == "column":
                found[str(node.value)] = None
            if isinstance(node.value, Window):
                found.update(dict.fromkeys(node.value.by))
        return tuple(found)

    def walk(self) -> Iterator["Node"]:
        """Yield the node and all below it."""
        yield self
        for argument in self.arguments:
            yield from argument.walk()


@dataclass(frozen=True)
class Window:
    """Which rows a batch function reads: ``rows`` in the order of time, among those with equal values in ``by``."""

    rows: int
    by: tuple[str, ...]


@dataclass(frozen=True)
class Pairing:
    """What ``map`` puts in the place of constants of one type, and of everything else."""

    keys: tuple[float | str, ...]
    values: tuple[float | str | None, ...]
    default: float | str | None


def column(name: str, column_type: ColumnType) -> Node:
    """Return the node of a column: a boolean one is whether it is true."""
    kind = VALUE_TYPES[column_type]
    if kind != "truth":
        return Node("column", kind, (), name)
    return applied("equal", "truth", Node("column", "number", (), name), constant(1.0, "number"))


def applied(op: str, kind: ValueType, *arguments: Node, value: Any = None) -> Node:
    """Return the node of an operation.

    Raises:
        ExpressionError: Written out, it would be too large.
    """
    size = 1 + sum(argument.size for argument in arguments)
    levels = 1 + max((argument.levels for argument in arguments), default=0)
    if size > MAX_SIZE or levels > MAX_LEVELS:
        raise ExpressionError(
            f"written out, the feature has more than {MAX_SIZE:,} parts or {MAX_LEVELS} levels",
            "write a shorter expression, or compute a part of it before the data gets here",
        )
    return Node(op, kind, arguments, value, size, levels)


def constant(value: Scalar, kind: ValueType) -> Node:
    """Return the node of a constant; None is a missing value."""
    return Node("constant", kind, (), value)


def missing(value: Node) -> Node:
    """Return whether a value is missing."""
    return applied("missing", "truth", value)


def choose(condition: Node, then: Node, otherwise: Node) -> Node:
    """Return one value where a condition holds, and the other one elsewhere."""
    if then.type == "truth":
        kept = applied("and", "truth", condition, then)
        return applied("or", "truth", kept, applied("and", "truth", applied("not", "truth", condition), otherwise))
    return applied("choose", then.type, condition, then, otherwise)


def lesser(left: Node, right: Node) -> Node:
    """Return the lesser of two numbers, missing where one is."""
    return choose(missing(right), right, choose(applied("less", "truth", right, left), right, left))


def greater(left: Node, right: Node) -> Node:
    """Return the greater of two numbers, missing where one is."""
    return choose(missing(right), right, choose(applied("less", "truth", left, right), right, left))
