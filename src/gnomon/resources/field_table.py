"""A kind becomes a table of its keys in words: what each takes, its default, what it means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.resources.base import NAME_PATTERN
from gnomon.resources.json_schema import kind_schema
from gnomon.resources.quantities import DURATION_PATTERN, MOMENT_PATTERN, SHARE_PATTERN, SIZE_PATTERN, SPAN_PATTERN
from gnomon.resources.release import DIGEST_PATTERN


@dataclass(frozen=True)
class FieldRow:
    """One key of a kind: where it stands, what it takes, its default (or ``required``), and what it means."""

    path: str
    type: str
    default: str
    meaning: str


def field_rows(kind: str) -> tuple[FieldRow, ...]:
    """Return every key below ``spec`` of a kind, parents before children."""
    schema = kind_schema(kind)
    return tuple(_rows("spec", _resolved(schema["properties"]["spec"], schema), schema))


_Schema = Mapping[str, Any]


def _resolved(schema: _Schema, root: _Schema) -> _Schema:
    reference = schema.get("$ref")
    return schema if reference is None else {**root["$defs"][reference.rpartition("/")[2]], **schema}


def _choices(schema: _Schema) -> tuple[_Schema, ...]:
    return (*schema.get("anyOf", ()), *schema.get("oneOf", ()))


def _rows(path: str, mapping: _Schema, root: _Schema) -> Iterator[FieldRow]:
    required = mapping.get("required", ())
    for key, declared in mapping["properties"].items():
        schema = _resolved(declared, root)
        where = f"{path}.{key}"
        default = "required" if key in required else _default_words(schema.get("default"))
        yield FieldRow(where, _type_words(schema, root), default, " ".join(schema.get("description", "").split()))
        yield from _inner_rows(where, schema, root)


def _inner_rows(path: str, schema: _Schema, root: _Schema) -> Iterator[FieldRow]:
    """Yield the rows of what a key's value holds: a mapping, items of a list, values of a mapping, or a choice of these."""
    if "properties" in schema:
        yield from _rows(path, schema, root)
    elif isinstance(schema.get("items"), Mapping):
        yield from _inner_rows(f"{path}[]", _resolved(schema["items"], root), root)
    elif (values := _values_of(schema)) is not None:
        yield from _inner_rows(f"{path}.NAME", _resolved(values, root), root)
    for choice in _choices(schema):
        yield from _inner_rows(path, _resolved(choice, root), root)


def _values_of(schema: _Schema) -> _Schema | None:
    """Return the schema of the values of a mapping whose keys people choose."""
    values = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
    return values if isinstance(values, Mapping) else None


_PATTERN_WORDS = {
    NAME_PATTERN: "name",
    DURATION_PATTERN: "duration",
    SPAN_PATTERN: "span of time",
    MOMENT_PATTERN: "date or time",
    SHARE_PATTERN: "percentage",
    SIZE_PATTERN: "size",
    DIGEST_PATTERN: "digest",
}
_SCALARS = {"text", "number", "true or false"}
_LIST_VALUE = "list of whole number"
"""A value that is a list, such as the widths of layers."""
_TYPE_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def _type_words(declared: _Schema, root: _Schema) -> str:
    schema = _resolved(declared, root)
    if _choices(schema):
        words = dict.fromkeys(_type_words(choice, root) for choice in _choices(schema) if choice.get("type") != "null")
        if "number" in words:
            words.pop("whole number", None)
        if words.keys() >= _SCALARS:
            words = dict.fromkeys(("value", *(word for word in words if word not in _SCALARS | {_LIST_VALUE})))
        return " or ".join(words)
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        pair = schema.get("prefixItems")
        inner = _type_words(pair[0] if pair else schema["items"], root)
        return f"two of: {inner}" if pair else f"list of {inner}"
    if schema.get("type") == "object":
        values = _values_of(schema)
        return f"mapping to {_type_words(values, root)}" if values is not None else "mapping"
    return _PATTERN_WORDS.get(schema.get("pattern", ""), _TYPE_WORDS.get(schema.get("type", ""), "any value"))


def _default_words(value: object) -> str:
    if value is None or isinstance(value, Mapping):
        return ""
    if isinstance(value, list):
        return ", ".join(map(_default_words, value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
