"""Features that are declared beside each other: which names which, and what each comes to over the columns of a dataset."""

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from gnomon.resources.dataset import ColumnType
from gnomon.resources.expressions.checker import typed
from gnomon.resources.expressions.functions import FUNCTIONS
from gnomon.resources.expressions.nodes import Node, column
from gnomon.resources.expressions.reader import Call, Name, Tree, parse
from gnomon.resources.expressions.tokens import ExpressionError


def reached(names: Collection[str], definitions: Mapping[str, str]) -> dict[str, str]:
    """Return the definitions that some features need: their own, and those that these name; in declared order.

    Raises:
        ExpressionError: One of them is no expression.
    """
    needed: set[str] = set()
    todo = [name for name in names if name in definitions]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [other for other in names_in(parse(definitions[name])) if other in definitions]
    return {name: text for name, text in definitions.items() if name in needed}


def resolved(
    definitions: Mapping[str, str], types: Mapping[str, ColumnType]
) -> tuple[dict[str, Node], dict[str, ExpressionError]]:
    """Return what each feature computes, and what is wrong with those that compute nothing.

    A feature that names another one computes it anew, without rounding it in between; one that looks at other rows is a column
    to those that name it. A feature that names a wrong one is in neither result.

    Args:
        definitions: Expressions by the names of the features.
        types: The columns of the dataset.
    """
    nodes: dict[str, Node] = {}
    errors: dict[str, ExpressionError] = {}
    names: dict[str, Node] = {name: column(name, kind) for name, kind in types.items()}
    trees: dict[str, Tree] = {}
    for name, text in definitions.items():
        if name in types:
            errors[name] = ExpressionError(f'a column of the dataset is called "{name}" too', "give the feature another name")
            continue
        try:
            trees[name] = parse(text)
        except ExpressionError as error:
            errors[name] = error
    needs = {name: [other for other in names_in(tree) if other in definitions] for name, tree in trees.items()}
    errors |= _circular(needs)
    for name in TopologicalSorter({name: needs[name] for name in trees if name not in errors}).static_order():
        if name not in trees or name in errors or any(other not in nodes for other in needs[name]):
            continue
        try:
            node = typed(trees[name], names)
            if not node.columns():
                raise ExpressionError("the feature reads no column", "name a column in it, or leave it out")  # noqa: TRY301
        except ExpressionError as error:
            errors[name] = error
            continue
        nodes[name] = node
        names[name] = as_column(name, node) if node.is_batch else node
    return nodes, errors


def as_column(name: str, node: Node) -> Node:
    """Return the node of a feature that stands in a column of its own, as those do that look at other rows."""
    return Node("column", "number" if node.type == "truth" else node.type, (), name)


def names_in(tree: Tree) -> Iterator[str]:
    """Yield the names of columns and features in an expression."""
    match tree:
        case Name(name=name):
            yield name
        case Call(arguments=arguments, by=by):
            yield from (each.name for each in by)
            for argument in arguments:
                yield from names_in(argument)


def looks_back(tree: Tree) -> bool:
    """Return whether a batch function is called anywhere in an expression."""
    if not isinstance(tree, Call):
        return False
    known = FUNCTIONS.get(tree.function)
    return (known is not None and known.batch) or any(looks_back(argument) for argument in tree.arguments)


def reads_own_row(node: Node, column_name: str) -> bool:
    """Return whether a feature sees a column of the very row that it is computed for; ``lag`` does not."""
    if node.op == "lag":
        return column_name in node.value.by
    if node.op == "column":
        return bool(node.value == column_name)
    return any(reads_own_row(argument, column_name) for argument in node.arguments)


def _circular(needs: Mapping[str, list[str]]) -> dict[str, ExpressionError]:
    """Return an error for each feature that needs itself."""
    errors: dict[str, ExpressionError] = {}
    while True:
        left = {
            name: [other for other in others if other not in errors] for name, others in needs.items() if name not in errors
        }
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            told = " -> ".join(circle)
            for name in circle:
                errors[name] = ExpressionError(f"the feature needs itself: {told}", "compute one of them from columns alone")
        else:
            return errors
