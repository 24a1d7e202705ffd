"""Kinds become JSON Schema, for editors that complete and check while people write.

Descriptions are the docstrings of classes and attributes, read from the source only when a schema is asked for.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic import PlainSerializer
from pydantic.json_schema import GenerateJsonSchema

from gnomon.resources.base import Strict
from gnomon.resources.complaints import types_within
from gnomon.resources.identity import API_VERSION
from gnomon.resources.kinds import KINDS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def kind_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind's manifests."""
    return {"$schema": _DIALECT, **_schema(kind, prefix="")}


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of any manifest; ``kind`` decides which rules hold."""
    definitions: dict[str, Any] = {}
    for kind in KINDS:
        schema = _schema(kind, prefix=f"{kind}.")
        definitions |= schema.pop("$defs", {})
        definitions[kind] = schema
    return {
        "$schema": _DIALECT,
        "title": "Gnomon manifest",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": list(KINDS)}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": {"$ref": f"#/$defs/{kind}"}}
            for kind in KINDS
        ],
        "$defs": definitions,
    }


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out the titles that repeat each field's name in other letters."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        return False


def _schema(kind: str, *, prefix: str) -> dict[str, Any]:
    cls = KINDS[kind]
    schema = cls.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}", schema_generator=_WithoutTitles)
    classes = {nested.__name__: nested for nested in _classes(cls)}
    for name, definition in {**schema.get("$defs", {}), cls.__name__: schema}.items():
        _describe(definition, classes[name])
    schema["$defs"] = {f"{prefix}{name}": definition for name, definition in schema["$defs"].items()}
    schema["required"] = ["apiVersion", "kind", *schema.get("required", [])]
    return schema


def _classes(cls: type[Strict]) -> Iterator[type[Strict]]:
    """Yield ``cls`` and every class of ours that its fields hold."""
    yield cls
    for field in cls.model_fields.values():
        for annotation in _leaves(field.annotation):
            yield from _classes(annotation)


def _leaves(annotation: Any) -> Iterator[type[Strict]]:
    for inner in types_within(annotation):
        if isinstance(inner, type) and issubclass(inner, Strict):
            yield inner
        else:
            for argument in getattr(inner, "__args__", ()):
                yield from _leaves(argument)


def _describe(definition: dict[str, Any], cls: type[Strict]) -> None:
    docs = {name: doc for base in reversed(cls.__mro__) for name, doc in _attribute_docs(base).items()}
    definition["description"] = inspect.cleandoc(cls.__doc__ or "").replace("``", "`")
    for name, field in cls.model_fields.items():
        described = definition["properties"][field.alias or name]
        if name in docs:
            described["description"] = docs[name]
        for writer in field.metadata:  # A default stands in the schema as people would write it: 30s.
            if isinstance(writer, PlainSerializer) and "default" in described:
                write: Any = writer.func
                described["default"] = write(field.default)


def _attribute_docs(cls: type) -> dict[str, str]:
    """Return the docstrings that stand below the attributes of a class of ours."""
    if not issubclass(cls, Strict) or cls is Strict:
        return {}
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    docs = {}
    for statement, following in pairwise(body):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[statement.target.id] = inspect.cleandoc(str(following.value.value)).replace("``", "`")
    return docs
