"""A lineage as nodes and edges, and as a text that people read from the top."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["prediction", "artifact", "version", "release", "service", "run", "step", "snapshot", "file", "object", "commit"]
_MOST_NODES = 2000
"""Of one answer in each direction; what is left out is told."""


@dataclass(frozen=True)
class Node:
    """A thing with a past. Two nodes of one kind and name are the same thing.

    Args:
        kind: What it is.
        name: What names it for ever: a digest, a commit, ``NAMESPACE/MODEL:VERSION``, ``RUN/STEP``.
        details: What people want to know of it, as plain JSON values.
    """

    kind: Kind
    name: str
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def id(self) -> str:
        """Return what edges call it."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Link:
    """What a node has to do with another one, in a few words; of a ``leaf`` no more is told."""

    kind: str
    node: Node
    is_leaf: bool = False


@dataclass(frozen=True)
class Edge:
    """One thing went into another: ``source`` into ``target``."""

    source: str
    target: str
    kind: str


@dataclass(frozen=True)
class Trace:
    """Where things came from, and what came of them.

    Args:
        asked: What somebody asked for.
        roots: What that is.
        nodes: Everything that is told of, by id.
        back: Edges towards the roots.
        forward: Edges away from the roots.
        notes: What cannot be told, and why.
    """

    asked: str
    roots: tuple[Node, ...]
    nodes: Mapping[str, Node]
    back: tuple[Edge, ...]
    forward: tuple[Edge, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; edges go from what was used to what came of it."""
        edges = dict.fromkeys((*self.back, *self.forward))
        return {
            "asked": self.asked,
            "roots": [root.id for root in self.roots],
            "nodes": [
                {"id": node.id, "kind": node.kind, "name": node.name, "details": dict(node.details)}
                for node in self.nodes.values()
            ],
            "edges": [{"from": edge.source, "to": edge.target, "kind": edge.kind} for edge in edges],
            "notes": list(self.notes),
        }


def traced(
    asked: str,
    roots: Sequence[Node],
    sources: Callable[[Node], Sequence[Link]],
    uses: Callable[[Node], Sequence[Link]],
    notes: Sequence[str] = (),
) -> Trace:
    """Return everything that roots came from, and everything that came of them.

    Args:
        asked: What somebody asked for.
        roots: What that is.
        sources: Returns what a node was made of.
        uses: Returns what used a node.
        notes: What is to be told besides.
    """
    nodes = {root.id: root for root in roots}
    told = list(notes)
    back = tuple(Edge(link.node.id, node.id, link.kind) for node, link in _walk(roots, sources, nodes, told))
    forward = tuple(Edge(node.id, link.node.id, link.kind) for node, link in _walk(roots, uses, nodes, told))
    return Trace(asked, tuple(roots), nodes, back, forward, tuple(dict.fromkeys(told)))


def text_lines(trace: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a trace, as ``Trace.to_json`` tells it: each root, what it came from, and what came of it."""
    nodes = {node["id"]: node for node in trace["nodes"]}
    sources: dict[str, list[tuple[str, str]]] = {}
    uses: dict[str, list[tuple[str, str]]] = {}
    for edge in trace["edges"]:
        sources.setdefault(edge["to"], []).append((edge["kind"], edge["from"]))
        uses.setdefault(edge["from"], []).append((edge["kind"], edge["to"]))
    for root in trace["roots"]:
        yield _line(nodes[root])
        for title, links in (("came from", sources), ("was used by", uses)):
            if root in links:
                yield f"{title}:"
                yield from _tree(root, links, nodes, {root}, "  ")
    for note in trace["notes"]:
        yield f"note: {note}"


def _walk(
    roots: Sequence[Node], links: Callable[[Node], Sequence[Link]], nodes: dict[str, Node], told: list[str]
) -> Iterator[tuple[Node, Link]]:
    """Yield the links of everything that is reached, nearest first."""
    todo, seen = deque(roots), {root.id for root in roots}
    while todo:
        node = todo.popleft()
        for link in links(node):
            yield node, link
            nodes.setdefault(link.node.id, link.node)
            if link.node.id in seen or link.is_leaf:
                continue
            if len(seen) >= _MOST_NODES:
                told.append(f"more than {_MOST_NODES} things are reached; the rest is left out: ask for one of them")
                return
            seen.add(link.node.id)
            todo.append(link.node)


def _tree(
    above: str,
    links: Mapping[str, Sequence[tuple[str, str]]],
    nodes: Mapping[str, Mapping[str, Any]],
    seen: set[str],
    margin: str,
) -> Iterator[str]:
    for kind, name in links.get(above, ()):
        is_known = name in seen
        yield f"{margin}{kind}: {_line(nodes[name], is_brief=is_known)}"
        if not is_known:
            seen.add(name)
            yield from _tree(name, links, nodes, seen, margin + "  ")


def _line(node: Mapping[str, Any], *, is_brief: bool = False) -> str:
    details = "" if is_brief else ", ".join(f"{name} {_short(value)}" for name, value in node["details"].items() if value != "")
    return f"{node['kind']} {node['name']}{f' ({details})' if details else ''}"


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
