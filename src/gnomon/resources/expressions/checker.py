"""A tree gets types: names are looked up, operators and functions become nodes, and what does not fit is told."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce

from gnomon.resources.expressions.nodes import (
    PARTS,
    Node,
    Pairing,
    Scalar,
    ValueType,
    Window,
    applied,
    choose,
    column,
    constant,
    greater,
    lesser,
    missing,
)
from gnomon.resources.expressions.reader import Call, Constant, Listed, Name, Pairs, Tree
from gnomon.resources.expressions.tokens import mistake
from gnomon.resources.wording import nearest

UNITS: Mapping[str, int] = {"seconds": 1_000_000, "minutes": 60_000_000, "hours": 3_600_000_000, "days": 86_400_000_000}
"""Units of ``elapsed``, in microseconds."""

MAX_SIZE = 2000
MAX_LEVELS = 200
MAX_WINDOW = 100_000
"""Rows that ``lag`` and the rolling functions may look back."""

MAX_WINDOW = 100_000
"""Rows that ``lag`` and the rolling functions may look back."""


def typed(tree: Tree, names: Mapping[str, Node]) -> Node:
    """Return the typed node of an expression.

    Args:
        tree: The parsed text.
        names: What each name stands for: a column, or the node of another feature.

    Raises:
        ExpressionError: A name is unknown, or types do not fit; the cause names the place.
    """
    return _Checker(names).value(tree)


def known_moment(text: str) -> int | None:
    """Return the microseconds of an ISO 8601 date or time, without an offset: UTC; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


_MISSING = Constant(None, 0)
_ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


class _Checker:
    """Types one tree."""

    def __init__(self, names: Mapping[str, Node]) -> None:
        self._names = names
        self._known: dict[int, Node] = {}

    def value(self, tree: Tree, wanted: ValueType | None = None) -> Node:
        """Return the node of any value; ``wanted`` is the type that a bare ``missing`` takes."""
        match tree:
            case Constant(value=None, at=at):
                if wanted is None or wanted == "truth":
                    raise mistake(
                        at, "missing stands where its type is not known", "use it beside a value: if(x > 9, missing, x)"
                    )
                return constant(None, wanted)
            case Constant(value="", at=at):
                raise mistake(at, "there is an empty text, which is a missing one", "ask with is_missing, or write missing")
            case Constant(value=value):
                return constant(value, _type_of(value))
            case Name(name=name, at=at):
                if name not in self._names:
                    near = nearest(name, self._names)
                    mend = f"did you mean {near}?" if near else f"the columns and features are {', '.join(self._names)}"
                    raise mistake(at, f"there is no column or feature {name}", mend)
                return self._names[name]
            case Call():
                # Types are asked for again and again; each part of the tree is looked at once.
                if id(tree) not in self._known:
                    self._known[id(tree)] = self._call(tree)
                return self._known[id(tree)]
            case _:
                what = "list" if isinstance(tree, Listed) else "map of values"
                raise mistake(
                    tree.at, f"a {what} stands where a value is needed", "lists belong to in and bucket, braces to map"
                )

    def _typed(self, tree: Tree, kind: ValueType, of: str) -> Node:
        node = self.value(tree, kind)
        if node.type == kind:
            return node
        if kind == "number" and node.type == "truth":
            return applied("number", "number", node)
        raise mistake(
            tree.at, f"{of} needs a {kind} and is given a {node.type}", _CONVERSIONS.get((node.type, kind), f"give it a {kind}")
        )

    def _alike(self, trees: Sequence[Tree], of: str) -> list[Node]:
        """Return nodes of one type; a bare ``missing`` takes that of the others."""
        first = next((tree for tree in trees if not (isinstance(tree, Constant) and tree.value is None)), trees[0])
        kind = self.value(first).type
        if kind == "truth" and any(self._is_number(tree) for tree in trees):
            kind = "number"
        return [self._typed(tree, kind, of) for tree in trees]

    def _is_number(self, tree: Tree) -> bool:
        return not (isinstance(tree, Constant) and tree.value is None) and self.value(tree).type == "number"

    def _call(self, call: Call) -> Node:
        return _RULES.get(call.function, _Checker.batch)(self, call)

    def arithmetic(self, call: Call) -> Node:
        left, right = (self._typed(each, "number", call.function) for each in call.arguments)
        return applied(_ARITHMETIC[call.function], "number", left, right)

    def negative(self, call: Call) -> Node:
        return applied("multiply", "number", self._typed(call.arguments[0], "number", "-"), constant(-1.0, "number"))

    def of_number(self, call: Call) -> Node:
        return applied(call.function, "number", self._typed(call.arguments[0], "number", call.function))

    def logic(self, call: Call) -> Node:
        return applied(call.function, "truth", *(self._typed(each, "truth", call.function) for each in call.arguments))

    def choice(self, call: Call) -> Node:
        return choose(self._typed(call.arguments[0], "truth", "if"), *self._alike(call.arguments[1:], "if"))

    def fill(self, call: Call) -> Node:
        value, instead = self._alike(call.arguments, "fill")
        return choose(missing(self._missable(call)), instead, value)

    def absence(self, call: Call) -> Node:
        return missing(self._missable(call))

    def _missable(self, call: Call) -> Node:
        """Return what may be missing of the first argument: of a boolean column, the column itself."""
        tree = call.arguments[0]
        value = self.value(tree)
        if value.type != "truth":
            return value
        if isinstance(tree, Name) and value == column(tree.name, "boolean"):
            return value.arguments[0]
        raise mistake(
            tree.at, f"{call.function} is given a condition, which is never missing", "ask for a value of the condition"
        )

    def clip(self, call: Call) -> Node:
        value, low, high = (self._typed(each, "number", "clip") for each in call.arguments)
        if isinstance(low.value, float) and isinstance(high.value, float) and low.value > high.value:
            raise mistake(call.at, f"clip has the bounds {low.value:g} and {high.value:g}", "write the lower one first")
        above = choose(applied("less", "truth", high, value), high, value)
        return choose(applied("less", "truth", value, low), low, above)

    def extreme(self, call: Call) -> Node:
        numbers = (self._typed(each, "number", call.function) for each in call.arguments)
        return reduce(lesser if call.function == "min" else greater, numbers)

    def concat(self, call: Call) -> Node:
        return applied("concat", "text", *(self._typed(each, "text", "concat") for each in call.arguments))

    def elapsed(self, call: Call) -> Node:
        unit = call.arguments[2]
        if not isinstance(unit, Constant) or unit.value not in UNITS:
            raise mistake(unit.at, "elapsed is given no unit", f"write one of {', '.join(map(repr, UNITS))}")
        start, end = (self._typed(each, "time", "elapsed") for each in call.arguments[:2])
        return applied("elapsed", "number", start, end, value=UNITS[str(unit.value)])

    def part(self, call: Call) -> Node:
        return applied("part", "number", self._typed(call.arguments[0], "time", call.function), value=call.function)

    def comparison(self, call: Call) -> Node:
        if nothing := next((each for each in call.arguments if isinstance(each, Constant) and each.value is None), None):
            raise mistake(nothing.at, "nothing compares with missing", "ask with is_missing")
        left, right = self._alike(call.arguments, call.function)
        ordered = call.function not in {"==", "!="}
        if ordered and left.type in {"truth", "text"}:
            raise mistake(call.at, f"{call.function} compares numbers and times, not a {left.type}", "use == or !=")
        if left.type == "truth":
            left, right = applied("number", "number", left), applied("number", "number", right)
        match call.function:
            case "<":
                return applied("less", "truth", left, right)
            case "<=":
                return applied("at_most", "truth", left, right)
            case ">":
                return applied("less", "truth", right, left)
            case ">=":
                return applied("at_most", "truth", right, left)
            case "==":
                return applied("equal", "truth", left, right)
            case _:
                known = applied("not", "truth", applied("or", "truth", missing(left), missing(right)))
                return applied("and", "truth", known, applied("not", "truth", applied("equal", "truth", left, right)))

    def membership(self, call: Call) -> Node:
        value = self.value(call.arguments[0])
        listed = self._listed(call.arguments[1], "in")
        if value.type not in {"number", "text"}:
            raise mistake(call.at, f"in looks for a number or a text, not a {value.type}", "compare with == and join with or")
        keys = tuple(dict.fromkeys(self._keys(listed.items, value.type, listed.at)))
        found = applied("map", "number", value, value=Pairing(keys, (1.0,) * len(keys), 0.0))
        return applied("equal", "truth", found, constant(1.0, "number"))

    def bucket(self, call: Call) -> Node:
        listed = self._listed(call.arguments[1], "bucket")
        edges = self._keys(listed.items, "number", listed.at)
        if any(left >= right for left, right in itertools.pairwise(edges)):  # type: ignore[operator]  # numbers
            raise mistake(listed.at, "the edges of bucket do not rise", "write each once, the lowest first")
        return applied("bucket", "number", self._typed(call.arguments[0], "number", "bucket"), value=edges)

    def mapping(self, call: Call) -> Node:
        value, pairs = self.value(call.arguments[0]), call.arguments[1]
        if not isinstance(pairs, Pairs) or not pairs.items:
            raise mistake(pairs.at, "map is given no pairs", 'write them in braces: map(carrier, {"AA": 1, "UA": 2}, 0)')
        if value.type not in {"number", "text"}:
            raise mistake(call.at, f"map takes a number or a text, not a {value.type}", "use if")
        keys = self._keys([key for key, _ in pairs.items], value.type, pairs.at)
        if doubled := [key for place, key in enumerate(keys) if key in keys[:place]]:
            raise mistake(pairs.at, f"map says twice what {doubled[0]!r} becomes", "keep one of them")
        default = call.arguments[2] if len(call.arguments) == 3 else _MISSING
        if not isinstance(default, Constant):
            raise mistake(default.at, "the default of map is no constant", "leave it out, and fill the map: fill(map(…), x)")
        results = [*(result for _, result in pairs.items), default]
        kind: ValueType = next((_type_of(result.value) for result in results if result.value is not None), "number")
        if kind not in {"number", "text"}:
            raise mistake(pairs.at, "map gives truth values", "write 1 and 0, or use in")
        values = self._constants(results, kind, pairs.at, missing=True)
        return applied("map", kind, value, value=Pairing(keys, values[:-1], values[-1]))

    def batch(self, call: Call) -> Node:
        value = self.value(call.arguments[0])
        rows = call.arguments[1]
        if not isinstance(rows, Constant) or not isinstance(rows.value, float) or rows.value != int(rows.value):
            raise mistake(rows.at, f"{call.function} needs a whole number of rows", f"write {call.function}(x, 7)")
        if not 1 <= rows.value <= MAX_WINDOW:
            raise mistake(rows.at, f"{call.function} looks back {rows.value:g} rows", f"write 1 to {MAX_WINDOW:,}")
        for name in call.by:
            if name.name not in self._names or self._names[name.name].columns() != (name.name,):
                raise mistake(name.at, f"by names {name.name}, which is no column", "name columns of the dataset")
        if call.function not in {"lag", "rolling_count"} or value.type == "truth":
            value = self._typed(call.arguments[0], "number", call.function)
        kind: ValueType = value.type if call.function == "lag" else "number"
        return applied(call.function, kind, value, value=Window(int(rows.value), tuple(name.name for name in call.by)))

    def moment(self, call: Call) -> Node:
        text = call.arguments[0]
        if not isinstance(text, Constant) or not isinstance(text.value, str):
            raise mistake(text.at, "time needs a quoted text", 'write time("2026-01-31T08:00:00Z")')
        moment = known_moment(text.value)
        if moment is None:
            raise mistake(text.at, f"{text.value[:40]!r} is no time", 'write time("2026-01-31T08:00:00Z")')
        return constant(moment, "time")

    def _listed(self, tree: Tree, of: str) -> Listed:
        if not isinstance(tree, Listed) or not tree.items:
            raise mistake(tree.at, f"{of} is given no list of constants", "write one in brackets: [10, 20, 30]")
        return tree

    def _keys(self, items: Sequence[Constant], kind: ValueType, at: int) -> tuple[float | str, ...]:
        return tuple(value for value in self._constants(items, kind, at, missing=False) if value is not None)

    def _constants(
        self, items: Sequence[Constant], kind: ValueType, at: int, *, missing: bool
    ) -> tuple[float | str | None, ...]:
        for item in items:
            if item.value == "":
                raise mistake(item.at, "there is an empty text, which is a missing one", "write missing, or leave it out")
            unfit = not missing if item.value is None else _type_of(item.value) != kind
            if unfit:
                raise mistake(item.at or at, f"the constants are not all of type {kind}", f"write {kind}s only")
        return tuple(item.value for item in items)


_CONVERSIONS: Mapping[tuple[ValueType, ValueType], str] = {
    ("text", "number"): "make a number of it with map",
    ("time", "number"): "make a number of it with elapsed, or a part of the calendar",
    ("number", "truth"): "compare it: x > 0",
    ("text", "truth"): 'compare it: x == "AA"',
    ("text", "time"): "declare the column as timestamp in the dataset's schema",
    ("number", "text"): "make a text of it with map",
}


def _type_of(value: Scalar) -> ValueType:
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


_RULES: Mapping[str, Callable[[_Checker, Call], Node]] = {
    **dict.fromkeys(_ARITHMETIC, _Checker.arithmetic),
    "negative": _Checker.negative,
    **dict.fromkeys(("abs", "floor", "sqrt", "log1p"), _Checker.of_number),
    **dict.fromkeys(("and", "or", "not"), _Checker.logic),
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), _Checker.comparison),
    "in": _Checker.membership,
    "if": _Checker.choice,
    "fill": _Checker.fill,
    "is_missing": _Checker.absence,
    "clip": _Checker.clip,
    **dict.fromkeys(("min", "max"), _Checker.extreme),
    "bucket": _Checker.bucket,
    "map": _Checker.mapping,
    "concat": _Checker.concat,
    "time": _Checker.moment,
    "elapsed": _Checker.elapsed,
    **dict.fromkeys(PARTS, _Checker.part),
}
"""How each call but the batch functions gets its type."""
