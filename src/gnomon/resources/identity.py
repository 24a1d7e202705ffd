"""Names of things: the identity of a resource, and the digests and revisions that name content."""

from dataclasses import dataclass
from typing import Literal, NewType

Digest = NewType("Digest", str)
"""``sha256:`` and 64 hexadecimal digits; names content in the object store and manifests in the artifact store."""

Revision = NewType("Revision", str)
"""A full Git commit id, 40 (or 64) hexadecimal digits."""

API_GROUP = "gnomon.dev"
API_VERSION: Literal["gnomon.dev/v1alpha1"] = "gnomon.dev/v1alpha1"
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, order=True)
class ResourceKey:
    """Identity of a resource. The file it stands in is its provenance, not its identity: moving a file changes nothing."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.namespace}/{self.name}"
