"""Bytes become documents: plain values in which every key and value knows its line and column.

A strict part of YAML 1.2: mappings with text keys, lists and scalars. Scalars follow the core schema, so ``NO``, ``on``,
``22:30``, ``1_000`` and dates are text; so is ``012``, which YAML 1.1 and 1.2 read as two different numbers. Anchors,
aliases, tags, merge keys and directives are refused, because a manifest says what it means in the place where one reads it.
The document is built from parser events, one at a time, so that neither depth nor aliases can exhaust memory or stack.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_FILE_BYTES = 2**20
MAX_DEPTH = 32
MAX_FINDINGS = 50
"""The most findings of one document; the ones after that rarely say anything new."""

NodePath = tuple[str | int, ...]
"""Keys and list positions from the root of a document down to a value."""

_LOADER: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OTHER_BASE = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_START = frozenset("+-.0123456789")
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LARGEST_INTEGER = 2**63 - 1
_INTEGER_DIGITS = 20


@dataclass(frozen=True)
class Finding:
    """Why a document was refused, and where in its file. Lines and columns count from 1; 0 means the whole file."""

    line: int
    column: int
    cause: str
    mend: str


@dataclass(slots=True)
class Node:
    """A value and its place. ``children`` and ``keys`` (where each key stands) are those of a mapping or a list."""

    value: object
    line: int
    column: int
    children: dict[str | int, "Node"] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    def place_of(self, path: NodePath, *, key: bool = False) -> tuple[int, int]:
        """Return line and column of the value at ``path``, or of its key; of the nearest parent where there is none."""
        node = self
        place = (self.line, self.column)
        for step in path:
            child = node.children.get(step)
            if child is None:
                return place
            is_key = key and isinstance(step, str)
            place = node.keys[step] if is_key and isinstance(step, str) else (child.line, child.column)
            node = child
        return place


@dataclass(frozen=True)
class Document:
    """One document of a file. With ``findings`` it must not be used, except to tell which resource it meant."""

    root: Node
    findings: tuple[Finding, ...] = ()


class UnreadableError(Exception):
    """A file cannot be divided into documents at all, or must not be. Caught where files are parsed."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding


def read_documents(content: bytes) -> list[Document]:
    """Return the documents of a file; empty ones are left out.

    Raises:
        UnreadableError: The file is too large, is not UTF-8 text, has a syntax error, or nests too deep.
    """
    text = _decoded(content)
    loader = _LOADER(text)
    try:
        return [document for document in _documents(loader) if document.root.value is not None or document.findings]
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_syntax_finding(error, text)) from error
    except yaml.YAMLError as error:
        raise UnreadableError(Finding(0, 0, f"this is not YAML: {error}", "save the file as plain UTF-8 text")) from error
    finally:
        loader.dispose()


def _decoded(content: bytes) -> str:
    if len(content) > MAX_FILE_BYTES:
        cause = f"the file has more than {MAX_FILE_BYTES:,} bytes"
        raise UnreadableError(Finding(0, 0, cause, "divide it into several files"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        cause = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise UnreadableError(Finding(line, column, cause, "save the file as UTF-8")) from error
    stray = _NOT_TEXT.search(text)
    if stray is not None:
        at = stray.start()
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        cause = f"character U+{ord(stray[0]):04X} is not text"
        raise UnreadableError(Finding(line, column, cause, "remove the character, and save the file as UTF-8"))
    return text


_CONFLICT = re.compile(r"^<{7}(?= |$)", re.MULTILINE)
_SYNTAX_MENDS = (
    ("mapping values are not allowed", "put quotes around a text that holds ': ', and check the indentation"),
    ("could not find expected ':'", "end the key with ': ', and check the indentation of the lines above"),
    ("did not find expected key", "line the key up with its neighbours, and check for an open quote or bracket above"),
    ("did not find expected '-' indicator", "line the '- ' up with the other items of the list"),
    ("did not find expected ',' or", "close the bracket, and put a comma between its items"),
    ("expected ',' or", "close the bracket, and put a comma between its items"),
    ("unexpected end of stream", "close the quote or the bracket that was opened above"),
    ("cannot start any token", "put quotes around a text that starts with @, `, % or another sign that YAML keeps for itself"),
    ("unknown escape", "write the backslash twice, or use single quotes"),
)


def _syntax_finding(error: yaml.MarkedYAMLError, text: str) -> Finding:
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        line = text.count("\n", 0, conflict.start()) + 1
        mend = "keep one of the two sides, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>"
        return Finding(line, 1, "a merge left conflict marks here", mend)
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    source = text.split("\n")[line - 1] if 0 < line <= text.count("\n") + 1 else ""
    indent = source[: len(source) - len(source.lstrip())]
    if "\t" in indent:
        return Finding(line, indent.index("\t") + 1, "a tab indents this line", "indent with spaces")
    reason = " ".join(part for part in (error.problem, error.context) if part) or "this is not YAML"
    mend = next((mend for sign, mend in _SYNTAX_MENDS if sign in reason), "check indentation, quotes and brackets here")
    return Finding(line, column, f"YAML syntax: {reason}", mend)


class _Frame:
    """A collection that is being read; ``key`` waits for its value, and ``discard`` says that the value is to be dropped."""

    __slots__ = ("discard", "is_key", "items", "key", "node")

    def __init__(self, node: Node, items: dict[str, object] | list[object], *, is_key: bool) -> None:
        self.node = node
        self.items = items
        self.is_key = is_key
        self.key: str | None = None
        self.discard = False


def _documents(loader: yaml.CSafeLoader | yaml.SafeLoader) -> Iterator[Document]:
    while loader.check_event():
        event: Any = loader.get_event()
        if isinstance(event, yaml.DocumentStartEvent):
            builder = _Builder()
            if event.version or event.tags:
                builder.refuse(event, "YAML directives are not accepted", "remove the lines that start with %")
            while not isinstance(inner := loader.get_event(), yaml.DocumentEndEvent):
                builder.take(inner)  # type: ignore[arg-type] # a document's last event is its end, never None
            yield Document(builder.root, tuple(builder.findings))


def _place(event: yaml.Event) -> tuple[int, int]:
    mark: Any = event.start_mark  # Always there: these events come from text.
    return mark.line + 1, mark.column + 1


class _Builder:
    """Takes the events of one document and builds its tree."""

    def __init__(self) -> None:
        self.root = Node(None, 1, 1)
        self.findings: list[Finding] = []
        self._stack: list[_Frame] = []

    def refuse(self, event: yaml.Event, cause: str, mend: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(*_place(event), cause, mend))

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.CollectionEndEvent):
            self._leave()
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_decoration(event)
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_decoration(event)
            self._enter(event)
        elif isinstance(event, yaml.AliasEvent):
            self.refuse(event, f"*{event.anchor} is an alias", "write the value out in this place too")
            self._put(Node(None, *_place(event)))

    def _refuse_decoration(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self.refuse(event, f"&{event.anchor} is an anchor", "remove it, and write the value out wherever it is used")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(event, f"{tag} is a tag", "remove it; put quotes around a value that must stay text")

    def _enter(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:  # Reading on would be quadratic in the depth that a hostile file chooses.
            cause = f"values are nested more than {MAX_DEPTH} deep"
            raise UnreadableError(Finding(*_place(event), cause, "write it flatter"))
        items: dict[str, object] | list[object] = {} if isinstance(event, yaml.MappingStartEvent) else []
        node = Node(items, *_place(event))
        is_key = self._expects_key()
        if is_key:
            self.refuse(event, "a list or a mapping stands where a key belongs", "write a plain text as the key")
        else:
            self._put(node, leave_key=True)
        self._stack.append(_Frame(node, items, is_key=is_key))

    def _leave(self) -> None:
        was_key = self._stack.pop().is_key
        if self._stack:
            self._stack[-1].key, self._stack[-1].discard = ("", True) if was_key else (None, False)

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].items, dict) and self._stack[-1].key is None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._expects_key():
            self._key(event)
        else:
            self._put(Node(self._resolved(event), *_place(event)))

    def _key(self, event: yaml.ScalarEvent) -> None:
        frame = self._stack[-1]
        text = event.value
        frame.key = text
        if event.implicit[0] and text == "<<":
            self.refuse(event, "<< is a merge key", "write the keys out in this place too")
            frame.discard = True
        elif not isinstance(self._resolved(event), str):
            named = f"the key {text}" if text else "an empty key"
            self.refuse(event, f"{named} is not text", f'put quotes around it: "{text}"')
            frame.discard = True
        elif text in frame.node.keys:
            first_line, first_column = frame.node.keys[text]
            cause = f'"{text}" stands twice in one mapping, first at line {first_line}, column {first_column}'
            self.refuse(event, cause, "keep one of them")
            frame.discard = True
        else:
            frame.node.keys[text] = _place(event)

    def _put(self, node: Node, *, leave_key: bool = False) -> None:
        """Put a finished scalar, or a collection that begins, where it belongs."""
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if isinstance(frame.items, list):
            frame.node.children[len(frame.items)] = node
            frame.items.append(node.value)
        elif not frame.discard and frame.key is not None:
            frame.node.children[frame.key] = node
            frame.items[frame.key] = node.value
        if not leave_key:
            frame.key, frame.discard = None, False

    def _resolved(self, event: yaml.ScalarEvent) -> object:
        text: str = event.value
        if event.implicit[0]:
            if text in _WORDS:
                return _WORDS[text]
            if text[0] in _NUMBER_START:
                return self._number(event, text)
        stray = _NOT_TEXT.search(text)
        if stray is not None:
            self.refuse(event, f"the text holds the character U+{ord(stray[0]):04X}", "remove the escape sequence")
        return text

    def _number(self, event: yaml.ScalarEvent, text: str) -> object:
        value: int | float
        if _INTEGER.fullmatch(text) or _OTHER_BASE.fullmatch(text):
            value = int(text, 0) if len(text) <= _INTEGER_DIGITS else _LARGEST_INTEGER + 1
            if abs(value) > _LARGEST_INTEGER:
                self.refuse(event, f"{text[:_INTEGER_DIGITS]} is too large a number", "write it as text, in quotes")
            return value
        if _FLOAT.fullmatch(text):
            value = float(text)
            if abs(value) == float("inf"):
                self.refuse(event, f"{text[:_INTEGER_DIGITS]} is too large a number", "write a smaller number")
            return value
        if _NOT_FINITE.fullmatch(text):
            self.refuse(event, f"{text} is not a finite number", "write a finite number, or text in quotes")
        return text
