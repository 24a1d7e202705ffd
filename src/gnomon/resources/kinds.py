"""The kinds that this version knows, and how people may name them."""

from types import MappingProxyType

from gnomon.errors import UsageError
from gnomon.resources.compiled import AnyResource
from gnomon.resources.dataset import Dataset
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.project import Project
from gnomon.resources.release import Release
from gnomon.resources.service import Service
from gnomon.resources.wording import did_you_mean

KINDS: MappingProxyType[str, type[AnyResource]] = MappingProxyType(
    {"Project": Project, "Dataset": Dataset, "Pipeline": Pipeline, "Model": Model, "Service": Service, "Release": Release}
)
"""Every kind by its name, in the order of references: each kind refers to earlier ones only."""


def canonical_kind(text: str) -> str:
    """Return the kind that ``text`` names in singular or plural and in any case, such as ``Model`` for ``models``.

    Raises:
        UsageError: There is no such kind.
    """
    wanted = text.lower()
    for kind in KINDS:
        if wanted in {kind.lower(), f"{kind.lower()}s"}:
            return kind
    raise UsageError(f"{text!r} is not a kind", did_you_mean(text, KINDS, what="kinds"))
