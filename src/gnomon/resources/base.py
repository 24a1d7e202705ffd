"""What every kind shares: the strict, frozen model, metadata, and the envelope."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from gnomon.resources.identity import API_VERSION, DEFAULT_NAMESPACE, ResourceKey

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A DNS-1123 label: lowercase letters, digits and dashes, at most 63 characters."""

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Strict(BaseModel):
    """A frozen value with lowerCamelCase keys that refuses unknown keys and does not convert types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Metadata(Strict):
    """Who a resource is. ``namespace`` is the team it belongs to."""

    name: Name
    """Its name, unique among the resources of its kind and namespace."""
    namespace: Name = DEFAULT_NAMESPACE
    """The team it belongs to. References stay within a namespace."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Words to find it by."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Notes of people and of other tools."""


class Resource(Strict):
    """The envelope around every kind's ``spec``. There is no ``status`` here: it is ours and never read from Git."""

    api_version: Literal["gnomon.dev/v1alpha1"] = Field(default=API_VERSION)
    """Which version of the manifests this is."""
    kind: str
    """What it declares."""
    metadata: Metadata
    """Who it is."""

    @property
    def key(self) -> ResourceKey:
        """The identity of this resource."""
        return ResourceKey(self.kind, self.metadata.namespace, self.metadata.name)
