"""What the type checker found becomes findings in users' words, at the line and column of the key or the value."""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gnomon.resources.alternatives import OTHER_NAMES, UNEXPORTED
from gnomon.resources.base import NAME_PATTERN, Resource, Strict
from gnomon.resources.dataset import ENDPOINT_PATTERN
from gnomon.resources.documents import Finding, Node, NodePath
from gnomon.resources.model import Candidate
from gnomon.resources.pipeline import FUNCTION_PATTERN, PARAMETER_PATTERN, RESULT_PATTERN, SECRET_PATTERN
from gnomon.resources.planned import PLANNED_KEYS, PLANNED_VALUES
from gnomon.resources.release import DIGEST_PATTERN
from gnomon.resources.wording import did_you_mean, dotted, found, nearest

_MAPPING = "a mapping of keys and values"
_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
}
_PATTERNS = {
    NAME_PATTERN: "a name of lowercase letters, digits and dashes, with at most 63 characters",
    DIGEST_PATTERN: "a digest, which is sha256: and 64 hexadecimal digits",
    FUNCTION_PATTERN: "a function of a file of the repository: pipeline/steps.py:clean",
    RESULT_PATTERN: "a name of lowercase letters, digits, - and _, which begins with a letter",
    PARAMETER_PATTERN: "the name of a parameter: letters, digits and _",
    SECRET_PATTERN: "the name of an environment variable, such as SLACK_TOKEN",
    ENDPOINT_PATTERN: "the address of a server: https://host:port",
}
_QUOTED = re.compile(r"'([^']*)'")


def complaints(error: ValidationError, root: Node, kind: type[Resource]) -> list[Finding]:
    """Return one finding for every place that ``error`` is about."""
    findings: list[Finding] = []
    wanted: dict[NodePath, list[str]] = {}
    for details in error.errors(include_url=False, include_input=False):
        path = _path_in(root, details["loc"])
        if details["type"] == "extra_forbidden":
            findings.append(_unknown_key(root, path, kind))
        elif details["type"] == "too_short" and _value_at(root, path):
            continue  # The list is long enough; it is its items that do not fit, and each has its own finding.
        elif details["type"] == "missing":
            findings.append(_missing(root, path, details["loc"][-1]))
        else:
            wanted.setdefault(path, []).append(_expectation(details, root, path, kind))
    findings += [_misfit(root, path, expectations) for path, expectations in wanted.items()]
    return findings


def _path_in(root: Node, loc: tuple[int | str, ...]) -> NodePath:
    """Return ``loc`` without the steps that name a branch of a union instead of a place in the document."""
    node = root
    path: list[str | int] = []
    for step in loc:
        child = node.children.get(step)
        if child is not None:
            path.append(step)
            node = child
    return tuple(path)


def _value_at(root: Node, path: NodePath) -> object:
    node = root
    for step in path:
        node = node.children[step]
    return node.value


def _unknown_key(root: Node, path: NodePath, kind: type[Resource]) -> Finding:
    line, column = root.place_of(path, key=True)
    key = str(path[-1])
    model = model_at(kind, path[:-1])
    if key in PLANNED_KEYS.get(model, ()) if model is not None else False:
        return Finding(line, column, f"{dotted(path)} is planned, and not part of this version yet", f'remove "{key}"')
    if model is kind and key == "status":
        return Finding(line, column, "status is observed, and never read from Git", 'remove "status"')
    keys = [field.alias or name for name, field in model.model_fields.items()] if model is not None else []
    where = dotted(path[:-1])
    return Finding(line, column, f'"{key}" is not a key of {where}', did_you_mean(key, keys, what=f"keys of {where}"))


def _missing(root: Node, path: NodePath, key: int | str) -> Finding:
    line, column = root.place_of(path, key=True)
    if isinstance(key, int):
        return Finding(line, column, f"{dotted(path)} is too short", f"write at least {key + 1} values")
    return Finding(line, column, f"{dotted((*path, key))} is missing", f'add "{key}" to {dotted(path)}')


def _misfit(root: Node, path: NodePath, expectations: list[str]) -> Finding:
    line, column = root.place_of(path)
    value = _value_at(root, path)
    mend = " or ".join(dict.fromkeys(expectations))
    if mend == "text" and isinstance(value, (bool, int, float)):
        mend = f'text: "{found(value)}" in quotes'
    if not mend.startswith("did you mean"):
        mend = f"write {mend}"
    return Finding(line, column, f"{dotted(path)} is {found(value)}", mend)


def _expectation(details: ErrorDetails, root: Node, path: NodePath, kind: type[Resource]) -> str:
    """Return what belongs there, so that ``write …`` is a sentence."""
    context: dict[str, Any] = details.get("ctx", {})
    error_type = details["type"]
    if error_type == "literal_error":
        return _choice(root, path, kind, _QUOTED.findall(context["expected"]))
    if error_type == "string_pattern_mismatch":
        return _pattern(str(_value_at(root, path)), context["pattern"])
    if error_type in _EXPECTED:
        return _EXPECTED[error_type].format(**context)
    text = str(context.get("error", details["msg"]))
    return text.removeprefix("write ").removeprefix("Input should be ")


def _choice(root: Node, path: NodePath, kind: type[Resource], choices: list[str]) -> str:
    value = _value_at(root, path)
    listed = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if not isinstance(value, str):
        return listed
    if value in _planned_values(kind, path):
        return f'{listed}; "{value}" is planned, and not part of this version yet'
    if path[-1] == "algorithm" and model_at(kind, path[:-1]) is Candidate and (instead := _other_algorithm(value)):
        return instead
    near = nearest(value, choices)
    return f'did you mean "{near}"? It is {listed}' if near is not None else listed


def _other_algorithm(value: str) -> str | None:
    """Return what to write for an algorithm under another name, or for one that is refused."""
    word = value.lower().replace("_", "-").replace(" ", "-")
    if word in UNEXPORTED:
        instead, reason = UNEXPORTED[word]
        return f"{instead}, the nearest that there is: {word} {reason}"
    return f'did you mean "{OTHER_NAMES[word]}"?' if word in OTHER_NAMES else None


def _planned_values(kind: type[Resource], path: NodePath) -> frozenset[str]:
    """Return the planned values of the key that ``path`` (or the list at it) belongs to."""
    names = path[:-1] if path and isinstance(path[-1], int) else path
    model = model_at(kind, names[:-1]) if names else None
    return PLANNED_VALUES.get((model, str(names[-1])), frozenset()) if model is not None else frozenset()


def _pattern(value: str, pattern: str) -> str:
    expected = _PATTERNS.get(pattern, "text of the right form")
    if pattern != NAME_PATTERN:
        return expected
    name = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:63].strip("-")
    return f'{expected}, such as "{name}"' if name else expected


def model_at(kind: type[BaseModel], path: NodePath) -> type[Strict] | None:
    """Return the class of the mapping that stands at ``path`` in a resource of ``kind``, if it is one of ours."""
    annotations: list[Any] = [kind]
    for step in path:
        annotations = [inner for outer in annotations for inner in _inside(outer, step)]
    return next((a for a in annotations if isinstance(a, type) and issubclass(a, Strict)), None)


def _inside(annotation: Any, step: str | int) -> Iterator[Any]:
    """Yield the types that may stand at ``step`` inside a value of the type ``annotation``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        yield from (
            alternative
            for name, field in fields.items()
            if step in {field.alias, name}
            for alternative in types_within(field.annotation)
        )
    elif get_origin(annotation) in {tuple, dict}:
        arguments = get_args(annotation)
        yield from types_within(arguments[1] if get_origin(annotation) is dict else arguments[0])


def types_within(annotation: Any) -> Iterator[Any]:
    """Yield the types that a value of the type ``annotation`` may have, without unions and annotations around them."""
    if get_origin(annotation) is Annotated:
        yield from types_within(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for alternative in get_args(annotation):
            yield from types_within(alternative)
    else:
        yield annotation
