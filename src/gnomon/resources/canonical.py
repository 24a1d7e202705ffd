"""Resources become bytes that do not depend on how they were written: canonical JSON, a digest of the spec, YAML; and back."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from gnomon.errors import ManifestError
from gnomon.resources.compiled import AnyResource
from gnomon.resources.identity import API_VERSION
from gnomon.resources.kinds import KINDS


def declaration_json(resource: AnyResource) -> dict[str, Any]:
    """Return the whole resource as plain JSON values with lowerCamelCase keys, defaults written out."""
    return resource.model_dump(mode="json", by_alias=True)


def resource_from_json(declaration: Mapping[str, Any]) -> AnyResource:
    """Return the resource that ``declaration_json`` wrote.

    Raises:
        ManifestError: The declaration is not one that this version can read.
    """
    kind = KINDS.get(str(declaration.get("kind")))
    if kind is None:
        raise ManifestError(
            f"a stored resource has the kind {declaration.get('kind')!r}", f"this version knows {', '.join(KINDS)}"
        )
    try:
        return kind.model_validate_json(json.dumps(declaration), by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        name = declaration.get("metadata", {}).get("name")
        raise ManifestError(
            f"a stored {kind.__name__} called {name!r} does not fit this version at {where}",
            "declare it again in the repository with this version",
        ) from error


def canonical_json(value: object) -> bytes:
    """Return ``value`` as JSON with sorted keys, no white space, and UTF-8 text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def spec_digest(resource: AnyResource) -> str:
    """Return the SHA-256 of the canonical spec: comments, order of keys, spelled-out defaults and file names do not count.

    Defaults are left out, so that a version which adds a key does not change the digest of every resource.
    """
    spec = resource.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return f"sha256:{hashlib.sha256(canonical_json(spec)).hexdigest()}"


def resource_yaml(resource: AnyResource) -> str:
    """Return the resource as a manifest, holding what was set when it was made.

    Text that any YAML version could take for something else stands in quotes. Reading it back gives an equal resource.
    """
    declared = resource.model_dump(mode="json", by_alias=True, exclude_unset=True)
    head = {"apiVersion": API_VERSION, "kind": resource.kind}
    return yaml.dump(head | declared, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 reads as a number, besides what YAML 1.1 does; never writes an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
        return True


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][-+]?[0-9]+)?$|^0o[0-7]+$|^[-+]?\.(?:inf|nan)$", re.IGNORECASE),
    list("-+.0123456789"),
)
